//! What one direction of a flow holds back: pieces of its stream that may not be handed on yet, by offset.
//!
//! The first copy of an octet wins: a later copy is compared with the held one and dropped. (Octets already handed on are
//! not kept, so a later copy of those is dropped unseen.) Each piece remembers what its sender had received of the other
//! direction when it sent the piece. A sender sends new octets in order, so a piece was first sent no later than any piece
//! behind it, whatever a retransmission's own acknowledgment says: `needs` never falls from piece to piece.

use std::collections::VecDeque;

use crate::frame::Timestamp;

/// Bookkeeping that a held piece is charged with besides its octets, so that one-octet pieces are bounded as well.
const PIECE_OCTETS: usize = 64;

/// Something that takes up numbers of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body<B> {
    /// Payload.
    Octets(B),
    /// So many octets that the snap length cut off.
    Snapped(u32),
    /// The end of the stream; takes one number (RFC 9293 3.4).
    Fin,
}

impl<B: AsRef<[u8]>> Body<B> {
    /// Sequence numbers it takes up.
    pub fn len(&self) -> i64 {
        match self {
            Self::Octets(octets) => octets.as_ref().len() as i64,
            Self::Snapped(octets) => i64::from(*octets),
            Self::Fin => 1,
        }
    }

    /// Its part from *from* to *to*, both counted from its start and within its length.
    pub fn cut(&self, from: i64, to: i64) -> Body<&[u8]> {
        match self {
            Self::Octets(octets) => {
                let part = octets.as_ref().get(from as usize..to as usize);
                Body::Octets(part.unwrap_or_default())
            }
            Self::Snapped(_) => Body::Snapped(u32::try_from(to - from).unwrap_or(0)),
            Self::Fin => Body::Fin,
        }
    }

    fn charge(&self) -> usize {
        match self {
            Self::Octets(octets) => octets.as_ref().len() + PIECE_OCTETS,
            Self::Snapped(_) | Self::Fin => PIECE_OCTETS,
        }
    }
}

impl Body<&[u8]> {
    fn to_held(&self) -> Body<Box<[u8]>> {
        match self {
            Self::Octets(octets) => Body::Octets(Box::from(*octets)),
            Self::Snapped(octets) => Body::Snapped(*octets),
            Self::Fin => Body::Fin,
        }
    }
}

/// A piece of a stream with what must come before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece<B> {
    /// Where in its stream it starts.
    pub offset: i64,
    /// What it is; never of length 0.
    pub body: Body<B>,
    /// The offset of the other stream that its sender had received up to.
    pub needs: i64,
    /// Packet time of its segment.
    pub at: Timestamp,
}

impl<B: AsRef<[u8]>> Piece<B> {
    /// The offset after it.
    pub fn end(&self) -> i64 {
        self.offset.saturating_add(self.body.len())
    }
}

/// Numbers of an inserted piece that were held already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Equal, or not comparable because a copy was snapped.
    pub equal: u64,
    /// Octets that differ from the copy held.
    pub conflicting: u64,
}

/// Held pieces: sorted by offset, disjoint, `needs` never falling.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    pieces: VecDeque<Piece<Box<[u8]>>>,
    charge: usize,
}

impl Assembler {
    /// How many pieces are held.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Octets they are charged with.
    pub const fn charge(&self) -> usize {
        self.charge
    }

    /// The piece with the lowest offset.
    pub fn front(&self) -> Option<&Piece<Box<[u8]>>> {
        self.pieces.front()
    }

    /// The offset after the last piece.
    pub fn end(&self) -> Option<i64> {
        self.pieces.back().map(Piece::end)
    }

    /// Takes the first piece out.
    pub fn pop_front(&mut self) -> Option<Piece<Box<[u8]>>> {
        let piece = self.pieces.pop_front()?;
        self.charge -= piece.body.charge();
        Some(piece)
    }

    /// Puts the first piece back.
    pub fn push_front(&mut self, piece: Piece<Box<[u8]>>) {
        self.charge += piece.body.charge();
        self.pieces.push_front(piece);
    }

    /// Drops what lies at or beyond *offset*; true if there was any.
    pub fn truncate(&mut self, offset: i64) -> bool {
        let mut dropped = false;
        while self.pieces.back().is_some_and(|last| last.end() > offset) {
            let Some(last) = self.pieces.pop_back() else {
                break;
            };
            dropped = true;
            self.charge -= last.body.charge();
            if last.offset < offset {
                self.put(self.pieces.len(), &last, last.offset, offset);
            }
        }
        dropped
    }

    /// Copies those parts of *piece* that are not held yet.
    pub fn insert(&mut self, piece: &Piece<&[u8]>) -> Overlap {
        let mut overlap = Overlap::default();
        let (mut offset, end) = (piece.offset, piece.end());
        let mut at = self.pieces.partition_point(|held| held.end() <= offset);
        while offset < end {
            let stop = match self.pieces.get(at) {
                Some(held) if held.offset <= offset => {
                    let stop = end.min(held.end());
                    overlap.add(held, piece, offset, stop);
                    stop
                }
                next => {
                    let stop = next.map_or(end, |held| end.min(held.offset));
                    self.put(at, piece, offset, stop);
                    stop
                }
            };
            offset = stop;
            at += 1;
        }
        overlap
    }

    /// Inserts the part of *piece* from *offset* to *stop* as the piece number *at*.
    fn put<B: AsRef<[u8]>>(&mut self, at: usize, piece: &Piece<B>, offset: i64, stop: i64) {
        let body = piece.body.cut(offset - piece.offset, stop - piece.offset);
        let body = body.to_held();
        let later = self.pieces.get(at).map_or(i64::MAX, |next| next.needs);
        let needs = piece.needs.min(later);
        for earlier in self.pieces.range_mut(..at).rev() {
            if earlier.needs <= needs {
                break;
            }
            earlier.needs = needs;
        }
        self.charge += body.charge();
        let piece = Piece {
            offset,
            body,
            needs,
            at: piece.at,
        };
        self.pieces.insert(at, piece);
    }
}

impl Overlap {
    /// Compares the numbers from *offset* to *stop*, which both pieces cover.
    fn add(&mut self, held: &Piece<Box<[u8]>>, fresh: &Piece<&[u8]>, offset: i64, stop: i64) {
        let ours = held.body.cut(offset - held.offset, stop - held.offset);
        let theirs = fresh.body.cut(offset - fresh.offset, stop - fresh.offset);
        let conflicting = match (ours, theirs) {
            (Body::Octets(ours), Body::Octets(theirs)) if ours != theirs => {
                ours.iter().zip(theirs).filter(|(a, b)| a != b).count() as u64
            }
            _ => 0,
        };
        self.conflicting += conflicting;
        self.equal += (stop - offset).unsigned_abs() - conflicting;
    }
}

#[cfg(test)]
mod tests {
    use super::{Assembler, Body, Overlap, Piece, PIECE_OCTETS};
    use crate::frame::Timestamp;
    use proptest::prelude::*;

    fn piece(offset: i64, bytes: &[u8], needs: i64) -> Piece<&[u8]> {
        Piece {
            offset,
            body: Body::Octets(bytes),
            needs,
            at: Timestamp(0),
        }
    }

    fn held(assembler: &Assembler) -> Vec<(i64, &[u8], i64)> {
        let text = |p: &'_ Piece<Box<[u8]>>| match &p.body {
            Body::Octets(octets) => octets.to_vec(),
            _ => Vec::new(),
        };
        let pieces = assembler.pieces.iter();
        pieces.map(|p| (p.offset, &*Vec::leak(text(p)), p.needs)).collect()
    }

    #[test]
    fn first_copy_wins_and_only_holes_are_filled() {
        let mut assembler = Assembler::default();
        assembler.insert(&piece(10, b"cd", 0));
        assembler.insert(&piece(14, b"gh", 0));
        let overlap = assembler.insert(&piece(9, b"bcXefghi", 0));
        assert_eq!(
            overlap,
            Overlap {
                equal: 3,
                conflicting: 1
            }
        );
        let expected: [(i64, &[u8], i64); 5] = [
            (9, b"b", 0),
            (10, b"cd", 0),
            (12, b"ef", 0),
            (14, b"gh", 0),
            (16, b"i", 0),
        ];
        assert_eq!(held(&assembler), expected);
    }

    #[test]
    fn an_earlier_piece_never_needs_more_than_a_later_one() {
        let mut assembler = Assembler::default();
        assembler.insert(&piece(0, b"a", 50));
        assembler.insert(&piece(10, b"k", 70));
        assembler.insert(&piece(5, b"f", 40));
        assembler.insert(&piece(3, b"d", 90));
        let needs: Vec<i64> = assembler.pieces.iter().map(|p| p.needs).collect();
        assert_eq!(needs, [40, 40, 40, 70]);
    }

    #[test]
    fn truncating_cuts_through_a_piece() {
        let mut assembler = Assembler::default();
        assembler.insert(&piece(0, b"abc", 1));
        assembler.insert(&piece(5, b"fgh", 2));
        assert!(assembler.truncate(2));
        assert!(!assembler.truncate(2));
        assert_eq!(held(&assembler), [(0, &b"ab"[..], 1)]);
        assert_eq!(assembler.charge(), 2 + PIECE_OCTETS);
    }

    #[test]
    fn snapped_octets_and_the_end_take_their_numbers() {
        let mut assembler = Assembler::default();
        let at = Timestamp(0);
        let rest = |offset, body| Piece {
            offset,
            body,
            needs: 0,
            at,
        };
        assembler.insert(&rest(4, Body::Snapped(6)));
        assembler.insert(&rest(10, Body::Fin));
        let overlap = assembler.insert(&piece(3, b"0123456789", 0));
        assert_eq!(overlap.equal, 7); // six snapped, one at the place of the FIN
        assert_eq!(assembler.end(), Some(13));
        assert_eq!(assembler.len(), 4);
    }

    proptest! {
        #[test]
        fn behaves_like_a_map_of_octets(
            pieces in prop::collection::vec((0_i64..40, prop::collection::vec(0_u8..3, 1..12), 0_i64..9), 0..24),
            end in 0_i64..60,
        ) {
            let mut assembler = Assembler::default();
            let mut model = std::collections::BTreeMap::new();
            for (offset, bytes, needs) in &pieces {
                let mut expected = Overlap::default();
                for (at, byte) in (*offset..).zip(bytes) {
                    match model.get(&at) {
                        None => { model.insert(at, *byte); }
                        Some(first) if first == byte => expected.equal += 1,
                        Some(_) => expected.conflicting += 1,
                    }
                }
                prop_assert_eq!(assembler.insert(&piece(*offset, bytes, *needs)), expected);
            }
            assembler.truncate(end);
            model.retain(|at, _| *at < end);
            let (mut seen, mut last) = (Vec::new(), i64::MIN);
            while let Some(piece) = assembler.pop_front() {
                prop_assert!(piece.needs >= last);
                last = piece.needs;
                let Body::Octets(octets) = piece.body else { unreachable!() };
                seen.extend((piece.offset..).zip(octets.iter().copied()));
            }
            prop_assert_eq!(seen, model.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(assembler.charge(), 0);
        }
    }
}
