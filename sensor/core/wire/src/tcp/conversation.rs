//! What the flow table tells whoever reads the streams: the face between TCP and the protocols above it.

use super::segment::Endpoint;
use crate::anomaly::Anomaly;
use crate::frame::Timestamp;

/// The two ends of a flow in canonical order: the lower (address, port) is `Low`. Who is the client is not TCP's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The end with the lower (address, port).
    Low,
    /// The other one.
    High,
}

impl Side {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::Low, Self::High];

    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// 0 or 1, for arrays that hold something for each side.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What is known of a flow when its conversation opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowStart {
    /// The lower end.
    pub low: Endpoint,
    /// The higher end.
    pub high: Endpoint,
    /// Who sent the SYN (or was sent the SYN+ACK); none where neither was seen.
    pub initiator: Option<Side>,
    /// Packet time of the first segment seen.
    pub started_at: Timestamp,
    /// By side: the first sequence number is known from a SYN (or, for the initiator, from the SYN+ACK that
    /// acknowledges it), so the stream is whole from its start.
    pub saw_start: [bool; 2],
}

impl FlowStart {
    /// The address and port of *side*.
    #[must_use]
    pub const fn endpoint(&self, side: Side) -> Endpoint {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }
}

/// What a conversation thinks of the flow after each piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// This is no mail: drop the conversation without another call, and leave the flow alone from now on.
    NotMail,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Both sides sent FIN and all before it was delivered or given up.
    Finished,
    /// A plausible RST.
    Reset,
    /// No segment for [`flow_idle_timeout_ms`](crate::limits::Limits::flow_idle_timeout_ms).
    IdleTimeout,
    /// The flow table was full and this was the flow that had been silent longest.
    Evicted,
    /// The ports are used anew: a SYN with another initial sequence number, or many segments of no plausible window.
    Reused,
    /// The capture ended.
    EndOfCapture,
}

/// A reader of both streams of one flow.
///
/// Calls keep the order in which the ends of the flow experienced it: what a side sent after it had received some octets
/// of its peer is told after those octets (or after the gap that stands for them), in whatever order the tap showed the
/// segments. `at` is the packet time of the segment that carried the octets, so it may step back a little.
pub trait Conversation: Sized {
    /// What all conversations of a table share: limits, output, counters.
    type Context;

    /// A flow shows its first payload octet or gap. Never called for a bare handshake.
    fn open(start: &FlowStart, context: &mut Self::Context) -> Self;

    /// The next octets of a side's stream: never empty, in order, each octet once.
    fn data(&mut self, side: Side, bytes: &[u8], at: Timestamp, context: &mut Self::Context) -> Verdict;

    /// The next *octets* of a side's stream were never seen. `TcpGap` was noted just before. One hole comes in several
    /// pieces where something the peer sent lies between them, and no octet is told twice.
    ///
    /// The last octet of the last gap may have been a FIN that was never seen: both take one sequence number.
    fn gap(&mut self, side: Side, octets: u64, at: Timestamp, context: &mut Self::Context) -> Verdict;

    /// Something was odd about the flow. It is counted already; here it is told so that records can name it.
    fn note(&mut self, anomaly: Anomaly, context: &mut Self::Context);

    /// The side sent FIN and its stream is complete: no more from it. The peer may go on (half-close).
    fn fin(&mut self, side: Side, at: Timestamp, context: &mut Self::Context);

    /// The flow is over: called once for every conversation that did not end with [`Verdict::NotMail`], and last.
    fn close(&mut self, reason: CloseReason, last_seen: Timestamp, context: &mut Self::Context);
}
