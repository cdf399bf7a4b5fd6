//! What was wrong with a capture file, as values with their place.

use crate::bounds;

/// The kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DamageKind {
    /// The file ends inside a record or a compressed stream.
    Truncated,
    /// A length, a structure or compressed data contradicts itself.
    Corrupt,
    /// The operating system would not let it be read.
    Unreadable,
    /// There are no octets at all.
    Empty,
    /// The first octets are not those of a capture.
    NotACapture,
}

impl DamageKind {
    /// The stable name that records carry.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Unreadable => "unreadable",
            Self::Empty => "empty",
            Self::NotACapture => "not_a_capture",
        }
    }
}

/// One thing that was wrong with a capture file. What could be read was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Damage {
    /// What kind of thing.
    pub kind: DamageKind,
    /// What was found and what came of it, in words for a person; no octets of the file are quoted.
    pub detail: String,
    /// Where it was found: octet offset in the uncompressed file.
    pub offset: u64,
}

impl Damage {
    /// A damage found before the first record.
    pub(crate) fn at_start(kind: DamageKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            offset: 0,
        }
    }
}

/// The damages of one file: the first [`bounds::DAMAGES`] in words, the others counted.
#[derive(Debug, Default)]
pub(crate) struct DamageLog {
    list: Vec<Damage>,
    beyond_list: u64,
    skipped_octets: u64,
}

impl DamageLog {
    /// Notes one damage; *detail* is made only if it will be kept.
    pub fn note(&mut self, kind: DamageKind, offset: u64, detail: impl FnOnce() -> String) {
        if self.list.len() < bounds::DAMAGES {
            self.list.push(Damage {
                kind,
                detail: detail(),
                offset,
            });
        } else {
            self.beyond_list = self.beyond_list.saturating_add(1);
        }
    }

    /// Counts octets that were passed over because they could not be understood.
    pub fn skip(&mut self, octets: u64) {
        self.skipped_octets = self.skipped_octets.saturating_add(octets);
    }

    pub fn list(&self) -> &[Damage] {
        &self.list
    }

    pub fn beyond_list(&self) -> u64 {
        self.beyond_list
    }

    pub fn skipped_octets(&self) -> u64 {
        self.skipped_octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_damages_are_counted_and_their_words_not_made() {
        let mut log = DamageLog::default();
        for _ in 0..bounds::DAMAGES {
            log.note(DamageKind::Corrupt, 7, || "odd".to_owned());
        }
        log.note(DamageKind::Corrupt, 8, || unreachable!("no words beyond the list"));
        assert_eq!((log.list().len(), log.beyond_list()), (bounds::DAMAGES, 1));
    }
}
