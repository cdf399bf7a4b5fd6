//! The digest of a body: the same for every tap that saw the same mail.
//!
//! 128 bits of XXH3 over the body as transferred, dots unstuffed, without the run of CR and LF at its end: a relay, a milter
//! and the wire don't agree on whether the last line end is part of the mail.
//!
//! A fast hash that is not cryptographic will do. The digest pairs two legs of one mail; a sender who makes two of his own
//! mails collide gains a false pair of his own mail and nothing else, and whoever needs evidence hashes the mail itself.

use xxhash_rust::xxh3::Xxh3;

/// Line ends held back in place. Nearly every body ends in one or two; longer runs cost a copy of the hash state.
const HELD_OCTETS: usize = 8;

/// Hashes a body as it streams by.
#[derive(Clone)]
pub(super) struct BodyDigest {
    hasher: Xxh3,
    /// A run of CR and LF that is only hashed if something follows; `held[..held_octets]`.
    held: [u8; HELD_OCTETS],
    held_octets: usize,
    /// The state before a run that outgrew `held`. While it is there, the run is hashed as it comes.
    before_run: Option<Box<Xxh3>>,
    octets: u64,
    lost: bool,
}

impl BodyDigest {
    pub(super) fn new() -> Self {
        Self {
            hasher: Xxh3::new(),
            held: [0; HELD_OCTETS],
            held_octets: 0,
            before_run: None,
            octets: 0,
            lost: false,
        }
    }

    /// Forgets the last body.
    pub(super) fn restart(&mut self) {
        self.hasher.reset();
        self.held_octets = 0;
        self.before_run = None;
        self.octets = 0;
        self.lost = false;
    }

    /// Octets of the body seen, line ends at its end included.
    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.octets = self.octets.saturating_add(chunk.len() as u64);
        if self.lost {
            return;
        }
        let is_content = |octet: &u8| !matches!(octet, b'\r' | b'\n');
        let content = chunk.iter().rposition(is_content).map_or(0, |last| last + 1);
        if content > 0 {
            self.settle();
            self.hasher.update(&chunk[..content]);
        }
        self.hold(&chunk[content..]);
    }

    /// Octets were lost: no digest can be had.
    pub(super) fn gap(&mut self) {
        self.lost = true;
    }

    /// 32 hex digits; none if octets were lost.
    pub(super) fn finish(&self) -> Option<String> {
        if self.lost {
            return None;
        }
        let hasher = self.before_run.as_deref().unwrap_or(&self.hasher);
        Some(format!("{:032x}", hasher.digest128()))
    }

    /// Content follows the run that was held: the run counts.
    fn settle(&mut self) {
        self.before_run = None;
        if self.held_octets > 0 {
            self.hasher.update(&self.held[..self.held_octets]);
            self.held_octets = 0;
        }
    }

    fn hold(&mut self, run: &[u8]) {
        let end = self.held_octets + run.len();
        if self.before_run.is_some() {
            self.hasher.update(run);
        } else if let Some(place) = self.held.get_mut(self.held_octets..end) {
            place.copy_from_slice(run);
            self.held_octets = end;
        } else {
            self.before_run = Some(Box::new(self.hasher.clone()));
            self.hasher.update(&self.held[..self.held_octets]);
            self.hasher.update(run);
            self.held_octets = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest_of(chunks: &[&[u8]]) -> Option<String> {
        let mut digest = BodyDigest::new();
        for chunk in chunks {
            digest.feed(chunk);
        }
        digest.finish()
    }

    fn dumb(body: &[u8]) -> Option<String> {
        let end = body.iter().rposition(|o| !b"\r\n".contains(o)).map_or(0, |i| i + 1);
        Some(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&body[..end])))
    }

    #[test]
    fn line_ends_at_the_end_do_not_count() {
        for body in [
            &b""[..],
            b"\r\n",
            b"a",
            b"a\r\n",
            b"a\n\n\n\n\n\n\n\n\n\n\n\n",
            b"a\r\n\r\nb\r",
        ] {
            assert_eq!(digest_of(&[body]), dumb(body), "{body:?}");
        }
        assert_ne!(digest_of(&[b"a\r\nb"]), digest_of(&[b"a\nb"]));
    }

    #[test]
    fn a_loss_leaves_no_digest() {
        let mut digest = BodyDigest::new();
        digest.feed(b"a");
        digest.gap();
        digest.feed(b"b");
        assert_eq!(digest.finish(), None);
    }

    proptest! {
        #[test]
        fn cuts_do_not_change_it(
            body in prop::collection::vec(prop::sample::select(&b"\r\n\r\nx"[..]), 0..200),
            cut in 1_usize..40,
        ) {
            let chunks: Vec<&[u8]> = body.chunks(cut).collect();
            prop_assert_eq!(digest_of(&chunks), dumb(&body));
        }
    }
}
