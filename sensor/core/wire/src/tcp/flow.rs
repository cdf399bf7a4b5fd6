//! One flow: what each side sent, told in the order in which the two ends lived through it.
//!
//! # Parts
//!
//! A *stream* is one direction. Its octets have 64-bit offsets; `next` is the first that was not told yet. A segment whose
//! turn has come is told straight from the frame. Whatever comes too early is held in the stream's *assembler*.
//!
//! # Causal order
//!
//! A span port mixes two fibres and shows replies and acknowledgments before the octets they answer. But each segment says
//! what its sender had received when it sent it: all of the peer's stream before its acknowledgment number. So a piece of
//! side X with acknowledgment `a` *needs* Y's stream up to `a`, and is told only once `next` of Y has come there. The calls
//! to the conversation then interleave as the ends experienced it, whatever order the tap shows.
//!
//! Both streams can be ready and each wait for the other: a copy says what its sender had received when it sent the copy,
//! and where both first copies were lost or overtaken, the needs of the second ones can form a circle. X's octets before
//! what Y's piece needs cannot need that piece: X's segment would have acknowledged it, and Y would not have sent it again
//! after receiving them. So X goes first, just that far.
//!
//! # Missing octets
//!
//! An octet of Y that X acknowledged, or that X's segments need, reached X; if the tap shows it at all, it will be soon. It
//! becomes a gap when
//!
//! - `gap_grace_ms` of packet time passed (up to twice that where the waiting never paused in between),
//! - the flow holds more than `causal_hold_octets_per_flow` because of it,
//! - Y has never shown a segment: nobody waits for a direction that isn't captured,
//! - the flow ends.
//!
//! An octet that nobody acknowledged may still be retransmitted. It is waited for until a bound on held octets or the end
//! of the flow; and where its peer has never shown a segment, for the grace time, since no acknowledgment can come.
//!
//! A gap goes only as far as the peer's next piece needs, so a lost stretch of several commands or replies is told in
//! parts, each in its place between what the other side sent. No octet is told twice, and the parts add up exactly.
//!
//! # FIN and RST
//!
//! A FIN is a piece of one number at the end of its stream: it waits for its turn like octets. An RST is remembered with
//! what its sender had sent and received; the flow ends once both were told, or given up by the rules above. An RST counts
//! if its number lies between what the peer acknowledged (there the receiver would take it, RFC 9293 3.10.7.4) and
//! [`RESET_WINDOW`] beyond what was told.
//!
//! # Doubts
//!
//! - An acknowledged number that was never seen at the end of a stream may be a FIN; it is told as a gap of one octet.
//! - A capture that begins inside a flow with a keep-alive begins its stream one octet early: a gap of one octet may follow.
//! - Octets before the first segment of such a capture that arrive late are dropped.
//! - A new use of the ports whose SYN was not seen is told apart only if its numbers are far from the old ones.
//! - Copies of octets that were told already are dropped unseen; only held ones are compared.

use super::assembler::{Body, Piece};
use super::clock::Elapsed;
use super::conversation::{CloseReason, Conversation, FlowStart, Side, Verdict};
use super::directory::{FlowKey, Settled};
use super::segment::Segment;
use super::stream::Stream;
use super::table::Bounds;
use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::frame::Timestamp;

/// How far beyond the octets that were told an RST may stand: a large receive window.
pub const RESET_WINDOW: i64 = 1 << 20;

/// So many segments in a row that fit no window are a flow of their own: more than a stray few, soon enough to lose little.
const IMPLAUSIBLE_SEGMENTS: u8 = 16;

/// Everything a flow works with that isn't its own.
pub(super) struct Scope<'a, C: Conversation> {
    pub bounds: &'a Bounds,
    pub counters: &'a mut Counters,
    pub anomalies: &'a mut AnomalyCounts,
    pub context: &'a mut C::Context,
    /// Octets that all flows together are charged with for held pieces.
    pub held_octets: &'a mut usize,
    pub now: Elapsed,
    /// Packet time of the frame at hand.
    pub at: Timestamp,
}

/// How a flow came to its end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    NotMail,
    Closed(CloseReason),
}

/// An RST whose turn has not come: `side` has sent all before `offset` and received all before `needs`.
#[derive(Debug)]
struct Reset {
    side: Side,
    offset: i64,
    needs: i64,
}

/// What can be told next of one side.
enum Step {
    Gap(i64),
    Piece,
}

#[derive(Debug)]
pub(super) struct Flow<C> {
    start: FlowStart,
    last_seen: Timestamp,
    streams: [Stream; 2],
    conversation: Option<Box<C>>,
    reset: Option<Box<Reset>>,
    ending: Option<Ending>,
    /// Segments of no plausible window, in a row.
    implausible: u8,
}

impl<C> Flow<C> {
    /// A flow about to see its first payload.
    pub fn new((start, streams): (FlowStart, [Stream; 2])) -> Self {
        Self {
            last_seen: start.started_at,
            start,
            streams,
            conversation: None,
            reset: None,
            ending: None,
            implausible: 0,
        }
    }

    /// Whose it is.
    pub const fn key(&self) -> FlowKey {
        FlowKey {
            low: self.start.low,
            high: self.start.high,
        }
    }

    /// Packet time of its first segment.
    pub const fn started_at(&self) -> Timestamp {
        self.start.started_at
    }

    /// Packet time of its last segment.
    pub const fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    /// Missing octets are waited for.
    pub const fn waits(&self) -> bool {
        self.streams[0].waits() || self.streams[1].waits()
    }

    /// What is to be remembered of it after its end.
    pub fn settled(&self) -> Settled {
        let first = |side: Side| {
            let known = self.start.saw_start[side.index()];
            self.streams[side.index()].base().filter(|_| known)
        };
        Settled {
            key: self.key(),
            first: Side::BOTH.map(first),
        }
    }

    fn stream(&mut self, side: Side) -> &mut Stream {
        &mut self.streams[side.index()]
    }

    fn next(&self, side: Side) -> i64 {
        self.streams[side.index()].next
    }

    /// Octets the flow is charged with for held pieces.
    fn charge(&self) -> usize {
        self.streams[0].charge() + self.streams[1].charge()
    }
}

/// The face to the table.
impl<C: Conversation> Flow<C> {
    /// True if the SYN *segment* of *side* belongs to another use of the ports.
    pub fn is_other_use(&mut self, side: Side, segment: &Segment<'_>) -> bool {
        /// How far behind the start of a stream its own SYN may come: data that overtook it.
        const OVERTAKEN: i64 = 65_536;
        let first = segment.seq.plus(1);
        if segment.flags.ack() && self.acknowledges_start(side.peer(), segment) {
            return false; // a second SYN+ACK to the same SYN, with another cookie
        }
        let saw_start = self.start.saw_start[side.index()];
        let stream = self.stream(side);
        match stream.base() {
            None => false,
            Some(base) if saw_start => base != first,
            Some(base) => !(-OVERTAKEN..=0).contains(&i64::from(first.offset_from(base))),
        }
    }

    fn acknowledges_start(&self, side: Side, segment: &Segment<'_>) -> bool {
        let known = self.start.saw_start[side.index()];
        known && self.streams[side.index()].base() == Some(segment.ack)
    }

    /// Takes in a segment of *side*. True if the flow ended.
    pub fn segment(&mut self, side: Side, segment: &Segment<'_>, scope: &mut Scope<'_, C>) -> bool {
        self.last_seen = segment.at;
        self.accounted(scope, |flow, scope| {
            let Some((offset, needs)) = flow.locate(side, segment) else {
                return flow.ignore(scope);
            };
            flow.implausible = 0;
            if segment.flags.rst() {
                flow.note_reset(side, offset, needs, scope);
            } else {
                flow.take_segment(side, segment, offset, needs, scope);
            }
            flow.settle(scope);
        })
    }

    /// Gives up what was waited for too long. True if the flow ended.
    pub fn expire(&mut self, scope: &mut Scope<'_, C>) -> bool {
        self.accounted(scope, |flow, scope| {
            for stream in &mut flow.streams {
                stream.expire(scope.now, scope.bounds.gap_grace_ns);
            }
            flow.settle(scope);
        })
    }

    /// Ends the flow for *reason*, unless telling what is still held ends it otherwise. Returns how it ended.
    pub fn end(&mut self, reason: CloseReason, scope: &mut Scope<'_, C>) -> Ending {
        let reason = match self.reset {
            Some(_) => CloseReason::Reset,
            None => reason,
        };
        self.accounted(scope, |flow, scope| flow.conclude(reason, scope));
        let ending = self.ending.unwrap_or(Ending::Closed(reason));
        if let Ending::Closed(reason) = ending {
            self.close(reason, scope);
        }
        ending
    }

    /// Notes *anomaly* for the flow and counts it.
    pub fn note(&mut self, anomaly: Anomaly, scope: &mut Scope<'_, C>) {
        scope.anomalies.note(anomaly);
        self.conversation(scope, |conversation, context| {
            conversation.note(anomaly, context);
        });
    }

    fn close(&mut self, reason: CloseReason, scope: &mut Scope<'_, C>) {
        if let Some(mut conversation) = self.conversation.take() {
            conversation.close(reason, self.last_seen, scope.context);
        }
    }

    /// Runs *work* and keeps the count of all held octets true. True if the flow ended.
    fn accounted(
        &mut self,
        scope: &mut Scope<'_, C>,
        work: impl FnOnce(&mut Self, &mut Scope<'_, C>),
    ) -> bool {
        *scope.held_octets = scope.held_octets.saturating_sub(self.charge());
        work(self, scope);
        if self.ending.is_some() {
            self.streams.iter_mut().for_each(Stream::discard);
        }
        *scope.held_octets += self.charge();
        self.ending.is_some()
    }
}

/// Segments in.
impl<C: Conversation> Flow<C> {
    /// Counts a segment of no plausible window. Many in a row are another use of the ports whose SYN was not seen, or
    /// what follows a loss of gigabytes.
    fn ignore(&mut self, scope: &mut Scope<'_, C>) {
        scope.counters.segments_implausible += 1;
        self.implausible += 1;
        if self.implausible >= IMPLAUSIBLE_SEGMENTS {
            self.conclude(CloseReason::Reused, scope);
        }
    }

    /// The offsets of the segment's first octet and of what its sender had received of the peer; none where the numbers
    /// cannot belong to this flow.
    fn locate(&mut self, side: Side, segment: &Segment<'_>) -> Option<(i64, i64)> {
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

    fn take_segment(
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
            let body = piece
                .body
                .cut(offset - piece.offset, turn_end - piece.offset);
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
    fn hold(
        &mut self,
        side: Side,
        piece: &Piece<&[u8]>,
        offset: i64,
        end: i64,
        scope: &mut Scope<'_, C>,
    ) {
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
    fn note_reset(&mut self, side: Side, offset: i64, needs: i64, scope: &mut Scope<'_, C>) {
        let stream = self.stream(side);
        let receiver_next = stream.acked.min(stream.next);
        if offset < receiver_next || offset - stream.next > RESET_WINDOW {
            scope.counters.segments_implausible += 1;
            return;
        }
        let offset = stream.acknowledge(offset);
        self.reset.get_or_insert_with(|| {
            Box::new(Reset {
                side,
                offset,
                needs,
            })
        });
    }
}

/// The order of telling.
impl<C: Conversation> Flow<C> {
    /// After anything changed: tells what can be told, keeps to the bounds, and notes what is waited for.
    fn settle(&mut self, scope: &mut Scope<'_, C>) {
        if self.streams[0].is_plain() && self.streams[1].is_plain() && self.reset.is_none() {
            return;
        }
        self.pump(scope);
        if self.ending.is_some() {
            return;
        }
        self.keep_bounds(scope);
        for side in Side::BOTH {
            let peer_shown = self.streams[side.peer().index()].shown;
            let stream = self.stream(side);
            let owed = match peer_shown {
                true => stream.acked,
                false => stream.known_end(),
            };
            stream.wait_for(owed, scope.now);
        }
    }

    /// Tells all that can be told, and ends the flow where that brings up an RST.
    fn pump(&mut self, scope: &mut Scope<'_, C>) {
        self.tell_ready(scope);
        let due = self.reset.as_ref().is_some_and(|reset| {
            self.next(reset.side) >= reset.offset && self.next(reset.side.peer()) >= reset.needs
        });
        if due {
            self.conclude(CloseReason::Reset, scope);
        }
    }

    /// Tells all that is held, giving up every hole, and ends the flow for *reason*.
    fn conclude(&mut self, reason: CloseReason, scope: &mut Scope<'_, C>) {
        for stream in &mut self.streams {
            stream.overdue = stream.overdue.max(stream.known_end());
        }
        self.tell_ready(scope);
        self.ending.get_or_insert(Ending::Closed(reason));
    }

    fn tell_ready(&mut self, scope: &mut Scope<'_, C>) {
        while self.ending.is_none() {
            let moved = self.advance(Side::Low, scope) | self.advance(Side::High, scope);
            if !moved && !self.break_circle(scope) {
                break;
            }
        }
    }

    /// Tells what can be told of *side*; true if there was any.
    fn advance(&mut self, side: Side, scope: &mut Scope<'_, C>) -> bool {
        let mut moved = false;
        while self.ending.is_none() {
            match self.step(side) {
                None => break,
                Some(Step::Gap(octets)) => self.tell_gap(side, octets, scope),
                Some(Step::Piece) => self.tell_front(side, i64::MAX, scope),
            }
            moved = true;
        }
        moved
    }

    /// What can be told next of *side*, if anything.
    fn step(&self, side: Side) -> Option<Step> {
        let (stream, peer) = (
            &self.streams[side.index()],
            &self.streams[side.peer().index()],
        );
        if let Some(piece) = stream.ready() {
            return (piece.needs <= peer.next).then_some(Step::Piece);
        }
        let mut end = stream.overdue.min(stream.fin);
        if let Some(piece) = stream.front() {
            end = end.min(piece.offset);
        }
        if let Some(piece) = peer.ready() {
            // No farther than the peer's next piece needs; and where that needs no more, it goes first.
            end = end.min(piece.needs);
        }
        (end > stream.next).then(|| Step::Gap(end - stream.next))
    }

    /// Where both sides are ready and each waits for the other, the lower goes as far as the higher needs.
    fn break_circle(&mut self, scope: &mut Scope<'_, C>) -> bool {
        let [low, high] = &self.streams;
        let needs = match (low.ready(), high.ready()) {
            (Some(_), Some(piece)) => piece.needs,
            _ => return false,
        };
        self.tell_front(Side::Low, needs, scope);
        true
    }

    /// Tells what is left of the first piece held, at most to *until*, which lies beyond `next`.
    fn tell_front(&mut self, side: Side, until: i64, scope: &mut Scope<'_, C>) {
        let stream = self.stream(side);
        let next = stream.next;
        let Some(piece) = stream.pop_front() else {
            return;
        };
        let end = piece.end().min(until);
        let body = piece.body.cut(next - piece.offset, end - piece.offset);
        self.tell(side, &body, piece.at, scope);
        if end < piece.end() && self.ending.is_none() {
            self.stream(side).push_front(piece);
        }
    }

    /// Tells the next piece of a side's stream.
    fn tell(&mut self, side: Side, body: &Body<&[u8]>, at: Timestamp, scope: &mut Scope<'_, C>) {
        match body {
            Body::Octets(octets) => {
                let stream = self.stream(side);
                stream.next += body.len();
                stream.gap_before = false;
                let verdict = self.conversation(scope, |conversation, context| {
                    conversation.data(side, octets, at, context)
                });
                self.heed(verdict);
            }
            Body::Snapped(octets) => {
                self.note(Anomaly::TcpSnapped, scope);
                self.tell_gap(side, i64::from(*octets), scope);
            }
            Body::Fin => {
                self.stream(side).next += body.len();
                self.tell_fin(side, at, scope);
            }
        }
    }

    fn tell_gap(&mut self, side: Side, octets: i64, scope: &mut Scope<'_, C>) {
        let stream = self.stream(side);
        stream.next += octets;
        stream.gap_before = true;
        let (octets, at) = (octets.unsigned_abs(), scope.at);
        scope.counters.gaps += 1;
        scope.counters.gap_octets += octets;
        self.note(Anomaly::TcpGap, scope);
        let verdict = self.conversation(scope, |conversation, context| {
            conversation.gap(side, octets, at, context)
        });
        self.heed(verdict);
    }

    fn tell_fin(&mut self, side: Side, at: Timestamp, scope: &mut Scope<'_, C>) {
        // A flow that ends without payload opens no conversation; one that opens later is told then.
        if let Some(conversation) = &mut self.conversation {
            conversation.fin(side, at, scope.context);
        }
        if self.streams.iter().all(Stream::is_finished) {
            self.ending = Some(Ending::Closed(CloseReason::Finished));
        }
    }

    fn heed(&mut self, verdict: Verdict) {
        if verdict == Verdict::NotMail {
            self.ending = Some(Ending::NotMail);
            self.conversation = None;
        }
    }

    /// Runs *call* on the conversation, which opens with its first call.
    fn conversation<T>(
        &mut self,
        scope: &mut Scope<'_, C>,
        call: impl FnOnce(&mut C, &mut C::Context) -> T,
    ) -> T {
        let context = &mut *scope.context;
        let (start, streams, at) = (&self.start, &self.streams, self.last_seen);
        let conversation = self.conversation.get_or_insert_with(|| {
            let mut conversation = Box::new(C::open(start, context));
            for side in Side::BOTH {
                if streams[side.index()].is_finished() {
                    conversation.fin(side, at, context);
                }
            }
            conversation
        });
        call(conversation, context)
    }
}

/// Bounds.
impl<C: Conversation> Flow<C> {
    fn keep_bounds(&mut self, scope: &mut Scope<'_, C>) {
        let bounds = scope.bounds;
        if self.charge() > bounds.causal_hold_octets {
            self.by_bound(scope, |flow, scope| {
                for stream in &mut flow.streams {
                    stream.overdue = stream.overdue.max(stream.acked);
                }
                flow.pump(scope);
            });
        }
        for side in Side::BOTH {
            let over = |stream: &Stream| {
                stream.charge() > bounds.out_of_order_octets
                    || stream.pieces() > bounds.out_of_order_segments
            };
            while self.ending.is_none() && over(self.stream(side)) {
                self.by_bound(scope, |flow, scope| flow.give_up_front(side, scope));
            }
        }
        if self.charge() > 0
            && scope.held_octets.saturating_add(self.charge()) > bounds.all_out_of_order_octets
        {
            self.by_bound(scope, Self::give_up_all);
        }
    }

    /// Runs *work* and counts the octets that it gives up as given up by a bound.
    fn by_bound(
        &mut self,
        scope: &mut Scope<'_, C>,
        work: impl FnOnce(&mut Self, &mut Scope<'_, C>),
    ) {
        let before = scope.counters.gap_octets;
        work(self, scope);
        let given_up = scope.counters.gap_octets - before;
        if given_up > 0 {
            scope.counters.octets_dropped_out_of_order += given_up;
            match self.ending {
                None => self.note(Anomaly::TcpOutOfOrderLimit, scope),
                Some(_) => scope.anomalies.note(Anomaly::TcpOutOfOrderLimit),
            }
        }
    }

    /// Gives up whatever keeps the first held piece of *side* from being told.
    fn give_up_front(&mut self, side: Side, scope: &mut Scope<'_, C>) {
        if let Some((offset, needs)) = self.stream(side).front().map(|p| (p.offset, p.needs)) {
            let stream = self.stream(side);
            stream.overdue = stream.overdue.max(offset);
            let peer = self.stream(side.peer());
            peer.overdue = peer.overdue.max(needs);
        }
        self.pump(scope);
    }

    /// Gives up every hole, so that all that is held is told.
    fn give_up_all(&mut self, scope: &mut Scope<'_, C>) {
        for stream in &mut self.streams {
            stream.overdue = stream.overdue.max(stream.known_end());
        }
        self.pump(scope);
    }
}
