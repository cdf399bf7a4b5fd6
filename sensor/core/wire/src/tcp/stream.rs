//! One direction of a flow: how far it was handed on, what is held, what is missing and how long it may still come.

use super::assembler::{Assembler, Overlap, Piece};
use super::clock::Elapsed;
use super::seq::SeqNumber;

/// Numbers farther than this from the expected one belong to no window: the largest that window scaling allows is 2^30
/// octets (RFC 7323 2.3).
const FARTHEST: i64 = 1 << 30;

/// Octets that are missing though the peer acknowledged them, and since when that is known.
#[derive(Clone, Copy, Debug)]
struct Mark {
    offset: i64,
    since: Elapsed,
}

#[derive(Debug)]
pub(super) struct Stream {
    /// The number of offset 0: the first octet known of.
    base: SeqNumber,
    /// `base` is known, from this side's own numbers or from the peer's acknowledgments.
    pub placed: bool,
    /// A segment of this side was seen.
    pub shown: bool,
    /// All before was handed on or given up.
    pub next: i64,
    /// The last number before `next` was given up, not told.
    pub gap_before: bool,
    /// The peer told that it received all before; may run ahead of `next`.
    pub acked: i64,
    /// Holes before it are given up as soon as they are reached.
    pub overdue: i64,
    /// Where the FIN stands; `i64::MAX` until it is known. `next > fin` once it was told.
    pub fin: i64,
    mark: Option<Mark>,
    held: Option<Box<Assembler>>,
}

impl Stream {
    /// A stream whose first octet has the number *base*, as far as that is known.
    pub fn new(base: Option<SeqNumber>, shown: bool) -> Self {
        Self {
            base: base.unwrap_or_default(),
            placed: base.is_some(),
            shown,
            next: 0,
            gap_before: false,
            acked: 0,
            overdue: 0,
            fin: i64::MAX,
            mark: None,
            held: None,
        }
    }

    /// The offset that *number* stands for, none where it lies in no plausible window. Places the stream if need be.
    pub fn locate(&mut self, number: SeqNumber) -> Option<i64> {
        if !self.placed {
            self.placed = true;
            self.base = number;
        }
        let offset = number.unwrap_near(self.base, self.next);
        ((offset - self.next).abs() <= FARTHEST).then_some(offset)
    }

    /// The number of its first octet, if it is known.
    pub fn base(&self) -> Option<SeqNumber> {
        self.placed.then_some(self.base)
    }

    /// The peer has received all before *offset*; returns it, but not beyond a known FIN.
    pub fn acknowledge(&mut self, offset: i64) -> i64 {
        let offset = offset.min(self.fin.saturating_add(1));
        self.acked = self.acked.max(offset);
        offset
    }

    /// Nothing is held, missing or waited for.
    pub const fn is_plain(&self) -> bool {
        self.held.is_none() && self.acked <= self.next && self.mark.is_none()
    }

    /// Its FIN was told.
    pub const fn is_finished(&self) -> bool {
        self.next > self.fin
    }

    /// The first piece held.
    pub fn front(&self) -> Option<&Piece<Box<[u8]>>> {
        self.held.as_ref()?.front()
    }

    /// The first piece held, if nothing is missing before it; it may begin before `next`.
    pub fn ready(&self) -> Option<&Piece<Box<[u8]>>> {
        self.front().filter(|piece| piece.offset <= self.next)
    }

    /// Puts back the first piece, of which a part was told.
    pub fn push_front(&mut self, piece: Piece<Box<[u8]>>) {
        self.held.get_or_insert_default().push_front(piece);
    }

    /// Takes the first piece held.
    pub fn pop_front(&mut self) -> Option<Piece<Box<[u8]>>> {
        let held = self.held.as_mut()?;
        let piece = held.pop_front();
        if held.len() == 0 {
            self.held = None;
        }
        piece
    }

    /// Holds *piece* back.
    pub fn hold(&mut self, piece: &Piece<&[u8]>) -> Overlap {
        self.held.get_or_insert_default().insert(piece)
    }

    /// Drops what is held at or beyond *offset*; true if there was any.
    pub fn truncate(&mut self, offset: i64) -> bool {
        let dropped = self.held.as_mut().is_some_and(|held| held.truncate(offset));
        // Of the first piece, all that was left to tell may have lain beyond.
        if self.front().is_some_and(|piece| piece.end() <= self.next) {
            self.pop_front();
        }
        if self.held.as_ref().is_some_and(|held| held.len() == 0) {
            self.held = None;
        }
        dropped
    }

    /// Octets the held pieces are charged with.
    pub fn charge(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.charge())
    }

    /// How many pieces are held.
    pub fn pieces(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.len())
    }

    /// Up to where octets are known to have been sent.
    pub fn known_end(&self) -> i64 {
        let held = self.held.as_ref().and_then(|held| held.end());
        self.acked.max(held.unwrap_or(self.next))
    }

    /// Octets up to *owed* should have been here by now: starts, keeps or ends the waiting for those missing.
    pub fn wait_for(&mut self, owed: i64, now: Elapsed) {
        let running = |mark: &Mark| mark.offset > self.next && mark.since < now;
        self.mark = self.mark.filter(running).or_else(|| {
            (owed > self.next).then_some(Mark {
                offset: owed,
                since: now,
            })
        });
    }

    /// Something is waited for.
    pub const fn waits(&self) -> bool {
        self.mark.is_some()
    }

    /// Gives up what was waited for *grace_ns* or longer.
    pub fn expire(&mut self, now: Elapsed, grace_ns: i64) {
        if let Some(mark) = self.mark {
            if now.since_ns(mark.since) >= grace_ns {
                self.overdue = self.overdue.max(mark.offset);
                self.mark = None;
            }
        }
    }

    /// Forgets what is held.
    pub fn discard(&mut self) {
        self.held = None;
        self.mark = None;
    }
}
