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

mod bounds;
mod intake;
mod telling;

use super::clock::Elapsed;
use super::conversation::{CloseReason, Conversation, FlowStart, Side};
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
    fn accounted(&mut self, scope: &mut Scope<'_, C>, work: impl FnOnce(&mut Self, &mut Scope<'_, C>)) -> bool {
        *scope.held_octets = scope.held_octets.saturating_sub(self.charge());
        work(self, scope);
        if self.ending.is_some() {
            self.streams.iter_mut().for_each(Stream::discard);
        }
        *scope.held_octets += self.charge();
        self.ending.is_some()
    }
}
