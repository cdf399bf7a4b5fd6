//! Segments in: where a segment's numbers lie, and what of it is new.

use super::{Flow, Reset, Scope, IMPLAUSIBLE_SEGMENTS, RESET_WINDOW};
use crate::anomaly::Anomaly;
use crate::tcp::assembler::{Body, Piece};
use crate::tcp::conversation::{CloseReason, Conversation, Side};
use crate::tcp::segment::Segment;

impl<C: Conversation> Flow<C> {
    /// Counts a segment of no plausible window. Many in a row are another use of the ports whose SYN was not seen, or
    /// what follows a loss of gigabytes.
    pub(super) fn ignore(&mut self, scope: &mut Scope<'_, C>) {
        scope.counters.segments_implausible += 1;
        self.implausible += 1;
        if self.implausible >= IMPLAUSIBLE_SEGMENTS {
            self.conclude(CloseReason::Reused, scope);
        }
    }

    /// The offsets of the segment's first octet and of what its sender had received of the peer; none where the numbers
    /// cannot belong to this flow.
    pub(super) fn locate(&mut self, side: Side, segment: &Segment<'_>) -> Option<(i64, i64)> {
        let syn = segment.flags.syn();
        let first = segment.seq.plus(u32::from(syn));
        let offset = self.stream(side).locate(first)?;
        let acknowledged = match segment.flags.ack() {
            true => self.stream(side.peer()).locate(segment.ack)?,
            false => i64::MIN,
        };
        self.stream(side).shown = true;
        let peer = self.stream(side.peer());
        let needs = peer.acknowledge(acknowledged);
        if !peer.shown {
            peer.overdue = peer.overdue.max(needs);
        }
        // A SYN that data has overtaken still tells that the stream is whole, as long as nobody was told otherwise.
        if syn && offset == 0 && self.conversation.is_none() {
            self.start.saw_start[side.index()] = true;
        }
        Some((offset, needs))
    }

    pub(super) fn take_segment(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        offset: i64,
        needs: i64,
        scope: &mut Scope<'_, C>,
    ) {
        let mut piece = Piece {
            offset,
            body: Body::Octets(segment.payload),
            needs,
            at: segment.at,
        };
        if !segment.payload.is_empty() {
            self.take(side, &piece, scope);
            piece.offset = piece.end();
        }
        if segment.snapped_octets > 0 {
            piece.body = Body::Snapped(segment.snapped_octets);
            self.take(side, &piece, scope);
            piece.offset = piece.end();
        }
        if segment.flags.fin() {
            piece.body = Body::Fin;
            self.take_fin(side, &piece, scope);
        }
    }

    /// Tells *piece* if its turn has come, else holds what is new of it.
    fn take(&mut self, side: Side, piece: &Piece<&[u8]>, scope: &mut Scope<'_, C>) {
        if self.ending.is_some() {
            return;
        }
        let (mut offset, mut end) = (piece.offset, piece.end());
        let stream = self.stream(side);
        if end > stream.fin {
            end = stream.fin;
            self.note(Anomaly::TcpDataAfterFin, scope);
        }
        let stream = self.stream(side);
        if offset < stream.next {
            let passed = end.min(stream.next).saturating_sub(offset).max(0);
            scope.counters.octets_retransmitted += passed.unsigned_abs();
            offset = stream.next;
        }
        if offset >= end {
            return;
        }
        let turn_end = self.turn_end(side, offset, end, piece.needs);
        if turn_end > offset {
            let body = piece.body.cut(offset - piece.offset, turn_end - piece.offset);
            self.tell(side, &body, piece.at, scope);
        }
        if turn_end < end && self.ending.is_none() {
            self.hold(side, piece, turn_end, end, scope);
        }
    }

    /// Up to where octets from *offset* to *end* may be told at once: to the first held octet, if it is their turn at all.
    fn turn_end(&self, side: Side, offset: i64, end: i64, needs: i64) -> i64 {
        let stream = &self.streams[side.index()];
        let (held_from, needs) = match stream.front() {
            Some(held) => (held.offset, needs.min(held.needs)),
            None => (end, needs),
        };
        if offset == stream.next && needs <= self.next(side.peer()) {
            end.min(held_from).max(offset)
        } else {
            offset
        }
    }

    /// Holds the part of *piece* from *offset* to *end*.
    fn hold(&mut self, side: Side, piece: &Piece<&[u8]>, offset: i64, end: i64, scope: &mut Scope<'_, C>) {
        let overlap = self.stream(side).hold(&Piece {
            offset,
            body: piece.body.cut(offset - piece.offset, end - piece.offset),
            needs: piece.needs,
            at: piece.at,
        });
        scope.counters.segments_out_of_order += 1;
        scope.counters.octets_retransmitted += overlap.equal;
        scope.counters.octets_conflicting += overlap.conflicting;
        if overlap.conflicting > 0 {
            self.note(Anomaly::TcpConflictingOverlap, scope);
        }
    }

    /// Takes the end of a side's stream. Where octets beyond it are known to have arrived, the FIN is the liar.
    fn take_fin(&mut self, side: Side, piece: &Piece<&[u8]>, scope: &mut Scope<'_, C>) {
        let stream = self.stream(side);
        let again = stream.fin != i64::MAX;
        if again || self.ending.is_some() {
            return;
        }
        let stream = self.stream(side);
        // A FIN that was given up as a gap of one octet is told all the same.
        let at_next = piece.end() == stream.next && stream.front().is_none();
        let given_up = stream.gap_before && at_next;
        if stream.acked > piece.end() || (piece.offset < stream.next && !given_up) {
            return self.note(Anomaly::TcpDataAfterFin, scope);
        }
        stream.fin = piece.offset;
        if stream.truncate(piece.offset) {
            self.note(Anomaly::TcpDataAfterFin, scope);
        }
        if given_up {
            return self.tell_fin(side, piece.at, scope);
        }
        if self.turn_end(side, piece.offset, piece.end(), piece.needs) > piece.offset {
            self.tell(side, &piece.body, piece.at, scope);
        } else {
            self.hold(side, piece, piece.offset, piece.end(), scope);
        }
    }

    /// Remembers a plausible RST. All before its number was sent, and none of it will be retransmitted.
    pub(super) fn note_reset(&mut self, side: Side, offset: i64, needs: i64, scope: &mut Scope<'_, C>) {
        let stream = self.stream(side);
        let receiver_next = stream.acked.min(stream.next);
        if offset < receiver_next || offset - stream.next > RESET_WINDOW {
            scope.counters.segments_implausible += 1;
            return;
        }
        let offset = stream.acknowledge(offset);
        self.reset
            .get_or_insert_with(|| Box::new(Reset { side, offset, needs }));
    }
}
