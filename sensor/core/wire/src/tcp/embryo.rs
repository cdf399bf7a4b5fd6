//! A flow that has shown no payload yet: its handshake, or bare acknowledgments.

use super::conversation::{FlowStart, Side};
use super::directory::FlowKey;
use super::segment::Segment;
use super::seq::SeqNumber;
use super::stream::Stream;
use crate::frame::Timestamp;

/// What little is kept until the first payload octet: under 100 octets.
#[derive(Debug)]
pub(super) struct Embryo {
    start: FlowStart,
    /// By side: the number of the first octet of its stream.
    first: [Option<SeqNumber>; 2],
    /// By side: a segment was seen.
    shown: [bool; 2],
}

impl Embryo {
    /// A flow of which nothing is known yet.
    pub const fn new(key: FlowKey, started_at: Timestamp) -> Self {
        Self {
            start: FlowStart {
                low: key.low,
                high: key.high,
                initiator: None,
                started_at,
                saw_start: [false; 2],
            },
            first: [None; 2],
            shown: [false; 2],
        }
    }

    /// Whose it is.
    pub const fn key(&self) -> FlowKey {
        FlowKey {
            low: self.start.low,
            high: self.start.high,
        }
    }

    /// True if a SYN of *side* belongs to another use of the ports. A SYN+ACK never does: a server that answers a
    /// retransmitted SYN with a cookie may choose another number, and the last one is as good as the first.
    pub fn is_other_use(&self, side: Side, segment: &Segment<'_>) -> bool {
        let known = self.start.saw_start[side.index()];
        let syn = segment.flags.syn() && !segment.flags.ack();
        syn && known && self.first[side.index()] != Some(segment.seq.plus(1))
    }

    /// Learns from a segment of *side*. True once there is more to remember than this can: payload, a FIN, or octets that
    /// are acknowledged while their sender has shown no segment at all.
    pub fn observe(&mut self, side: Side, segment: &Segment<'_>) -> bool {
        let peer = side.peer().index();
        self.shown[side.index()] = true;
        if segment.flags.syn() {
            self.handshake(side, segment);
        }
        self.first[side.index()].get_or_insert(segment.seq);
        let mut unseen = false;
        if segment.flags.ack() {
            let first = *self.first[peer].get_or_insert(segment.ack);
            unseen = !self.shown[peer] && segment.ack.offset_from(first) > 0;
        }
        let telling = !segment.payload.is_empty() || segment.snapped_octets > 0;
        unseen || telling || segment.flags.fin()
    }

    fn handshake(&mut self, side: Side, segment: &Segment<'_>) {
        let (own, peer) = (side.index(), side.peer().index());
        self.first[own] = Some(segment.seq.plus(1));
        self.start.saw_start[own] = true;
        if segment.flags.ack() {
            self.start.initiator.get_or_insert(side.peer());
            // It acknowledges the peer's SYN, so the peer's start is known even if its SYN was not seen.
            if !self.start.saw_start[peer] {
                self.first[peer] = Some(segment.ack);
                self.start.saw_start[peer] = true;
            }
        } else {
            self.start.initiator = Some(side);
        }
    }

    /// What the flow starts from.
    pub fn grow(self) -> (FlowStart, [Stream; 2]) {
        let stream = |side: Side| Stream::new(self.first[side.index()], self.shown[side.index()]);
        (self.start, Side::BOTH.map(stream))
    }
}
