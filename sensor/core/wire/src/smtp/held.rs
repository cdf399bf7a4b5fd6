//! Client octets that can't be read yet, because what tells how to read them has not come.
//!
//! They are read in place, from the front. An octet is copied here once, and no more octets are moved within than were read, so
//! that a client that makes us hold and read on line after line costs no more than its octets.

/// What ends content, as transferred (RFC 5321 4.1.1.4).
const END_OF_DATA: &[u8] = b"\r\n.\r\n";

/// Octets held, oldest first. Whoever fills it bounds it.
#[derive(Debug, Default)]
pub(super) struct Held {
    octets: Vec<u8>,
    /// How many of them were read.
    read: usize,
    /// No end of data begins before this place, unless it was found.
    searched: usize,
    /// Where an end of data begins: the first one behind the places that were searched before it was found.
    end: Option<usize>,
}

impl Held {
    /// True if nothing waits to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.read == self.octets.len()
    }

    /// Octets that wait to be read.
    pub(super) fn len(&self) -> usize {
        self.octets.len() - self.read
    }

    /// Octets it takes in memory.
    pub(super) fn capacity(&self) -> usize {
        self.octets.capacity()
    }

    /// What waits to be read.
    pub(super) fn unread(&self) -> &[u8] {
        &self.octets[self.read..]
    }

    /// Holds *octets*.
    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.read > self.octets.len() / 2 {
            self.drop_read();
        }
        self.octets.extend_from_slice(octets);
    }

    /// The first *octets* were read.
    pub(super) fn advance(&mut self, octets: usize) {
        self.read = self.read.saturating_add(octets).min(self.octets.len());
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Forgets everything and gives back the memory.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// True if a whole end of data stands in what waits. Each octet is searched once, however often this is asked.
    pub(super) fn holds_end_of_data(&mut self) -> bool {
        if self.end.is_some_and(|end| end < self.read) {
            self.end = None;
        }
        if self.end.is_none() {
            let from = self.searched.max(self.read);
            self.end = memchr::memmem::find(&self.octets[from..], END_OF_DATA).map(|at| from + at);
            let undecided = (self.octets.len() + 1).saturating_sub(END_OF_DATA.len());
            self.searched = self.end.map_or(undecided.max(from), |end| end + 1);
        }
        self.end.is_some()
    }

    /// Gives up the places of what was read.
    fn drop_read(&mut self) {
        let read = std::mem::take(&mut self.read);
        self.octets.drain(..read);
        self.searched = self.searched.saturating_sub(read);
        self.end = self.end.and_then(|end| end.checked_sub(read));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Act {
        Push(Vec<u8>),
        Advance(usize),
        Ask,
    }

    fn act() -> impl Strategy<Value = Act> {
        let piece = prop::sample::select(vec![&b"\r\n.\r\n"[..], b"\r\n", b".", b"\r", b"\n", b"text"]);
        prop_oneof![
            prop::collection::vec(piece, 0..4).prop_map(|pieces| Act::Push(pieces.concat())),
            (0_usize..12).prop_map(Act::Advance),
            Just(Act::Ask),
        ]
    }

    proptest! {
        /// Against a plain list of octets that is searched anew each time.
        #[test]
        fn what_is_held_is_what_was_pushed_and_not_read(acts in prop::collection::vec(act(), 0..40)) {
            let (mut held, mut plain) = (Held::default(), Vec::<u8>::new());
            for act in acts {
                match act {
                    Act::Push(octets) => {
                        held.push(&octets);
                        plain.extend(octets);
                    }
                    Act::Advance(octets) => {
                        held.advance(octets);
                        plain.drain(..octets.min(plain.len()));
                    }
                    Act::Ask => {
                        let has_end = plain.windows(5).any(|window| window == END_OF_DATA);
                        prop_assert_eq!(held.holds_end_of_data(), has_end);
                    }
                }
                prop_assert_eq!(held.unread(), plain.as_slice());
                prop_assert_eq!((held.len(), held.is_empty()), (plain.len(), plain.is_empty()));
            }
        }
    }

    #[test]
    fn reading_everything_gives_the_memory_back() {
        let mut held = Held::default();
        held.push(&[b'x'; 1_000]);
        held.advance(999);
        assert_eq!(held.unread(), b"x");
        held.advance(1);
        assert_eq!(held.octets.capacity(), 0);
    }
}
