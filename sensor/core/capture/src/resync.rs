//! Finding the next record after a corrupt one.
//!
//! Neither format has a sync mark, but both have structure that random octets do not: a pcap record names the place of the
//! next one and carries a time near the last, a pcapng block says its length at both ends. The search tries every octet,
//! looks at a constant number of fields for each, and ends after [`bounds::SEARCH_OCTETS`]; so it is linear.

use crate::bounds;
use crate::damage::{DamageKind, DamageLog};
use crate::window::{End, Window};

/// A search under way.
#[derive(Debug)]
pub(crate) struct Search {
    /// Offset in the file of the record that was not understood.
    since: u64,
    /// What was wrong with it.
    why: Why,
}

/// Why a search began.
#[derive(Debug)]
pub(crate) enum Why {
    /// The record contradicts itself, in words.
    Corrupt(String),
    /// The record goes on beyond the end of the file: it is cut, unless what it swallowed has records of its own.
    Cut(String),
}

/// What a format says of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    Yes,
    No,
    NeedMore,
}

/// How far a search came in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A record starts at this index.
    Found(usize),
    /// None before this index; more octets are needed.
    Wait(usize),
    /// There is none, and the rest of the file is not to be read.
    Over,
}

impl Search {
    /// Begins at the record at offset *since*, which *why* is wrong with.
    pub fn new(since: u64, why: Why) -> Self {
        Self { since, why }
    }

    /// Tries each place of *window* from *from* on and notes the damage when the search ends.
    pub fn run(
        &self,
        window: &Window<'_>,
        from: usize,
        damage: &mut DamageLog,
        candidate: impl Fn(usize) -> Candidate,
    ) -> Progress {
        let from = if window.offset(from) == self.since {
            from + 1
        } else {
            from
        };
        let mut searched_to = window.bytes.len();
        for at in from..window.bytes.len() {
            match candidate(at) {
                Candidate::No => {}
                Candidate::Yes => {
                    self.note_found(window.offset(at), damage);
                    return Progress::Found(at);
                }
                Candidate::NeedMore => {
                    searched_to = at;
                    break;
                }
            }
        }
        if window.is_last() {
            self.note_end(window, damage);
            return Progress::Over;
        }
        let offset = window.offset(searched_to);
        if offset.saturating_sub(self.since) > bounds::SEARCH_OCTETS as u64 {
            self.note_given_up(offset, damage);
            return Progress::Over;
        }
        Progress::Wait(searched_to)
    }

    fn note_found(&self, offset: u64, damage: &mut DamageLog) {
        let (Why::Corrupt(why) | Why::Cut(why)) = &self.why;
        let skipped = offset.saturating_sub(self.since);
        damage.skip(skipped);
        damage.note(DamageKind::Corrupt, self.since, || {
            format!("{why}; {skipped} octets were skipped")
        });
    }

    fn note_end(&self, window: &Window<'_>, damage: &mut DamageLog) {
        let skipped = window.offset(window.bytes.len()).saturating_sub(self.since);
        damage.skip(skipped);
        match &self.why {
            Why::Corrupt(why) => damage.note(DamageKind::Corrupt, self.since, || {
                format!("{why}; nothing that could be read follows in the last {skipped} octets")
            }),
            // A stream that broke off was noted where it broke: the cut record is the same damage.
            Why::Cut(_) if window.end == End::OfReading => {}
            Why::Cut(why) => damage.note(DamageKind::Truncated, self.since, || why.clone()),
        }
    }

    fn note_given_up(&self, offset: u64, damage: &mut DamageLog) {
        let (Why::Corrupt(why) | Why::Cut(why)) = &self.why;
        let searched = offset.saturating_sub(self.since);
        damage.skip(searched);
        damage.note(DamageKind::Corrupt, self.since, || {
            format!("{why}; nothing that could be read follows within {searched} octets, so the rest was not read")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bytes: &[u8], end: End) -> Window<'_> {
        Window {
            bytes,
            origin: 100,
            end,
        }
    }

    fn search(bytes: &[u8], end: End, why: Why) -> (Progress, Option<(DamageKind, String)>) {
        let mut damage = DamageLog::default();
        let progress = Search::new(102, why).run(&window(bytes, end), 2, &mut damage, |at| match bytes[at] {
            b'!' => Candidate::Yes,
            b'?' if end == End::Open => Candidate::NeedMore,
            _ => Candidate::No,
        });
        (progress, damage.list().first().map(|d| (d.kind, d.detail.clone())))
    }

    #[test]
    fn finds_the_next_place_after_the_fault_and_says_what_was_skipped() {
        let (progress, noted) = search(b"..!..!", End::Open, Why::Corrupt("odd".into()));
        assert_eq!(progress, Progress::Found(5));
        assert_eq!(noted, Some((DamageKind::Corrupt, "odd; 3 octets were skipped".into())));
    }

    #[test]
    fn waits_where_more_is_needed() {
        assert_eq!(
            search(b"....?.", End::Open, Why::Cut("cut".into())),
            (Progress::Wait(4), None)
        );
        assert_eq!(
            search(b"......", End::Open, Why::Cut("cut".into())),
            (Progress::Wait(6), None)
        );
    }

    #[test]
    fn a_cut_record_with_nothing_in_it_is_a_truncation_told_once() {
        let truncated = Some((DamageKind::Truncated, "cut".into()));
        assert_eq!(
            search(b"......", End::OfFile, Why::Cut("cut".into())),
            (Progress::Over, truncated)
        );
        assert_eq!(
            search(b"......", End::OfReading, Why::Cut("cut".into())),
            (Progress::Over, None)
        );
        assert_eq!(
            search(b"...!..", End::OfFile, Why::Cut("cut".into())).0,
            Progress::Found(3)
        );
    }
}
