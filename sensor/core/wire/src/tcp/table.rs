//! The flow table: who talks to whom, what is remembered of it, and for how long.
//!
//! # Three rosters
//!
//! - *Embryos* have shown no payload: handshakes and bare acknowledgments. They are small, and a flood of SYNs fills only
//!   their roster.
//! - *Flows* have shown payload or a gap, and carry a conversation.
//! - *Settled* flows are closed or not mail. They are remembered so that a late retransmission opens no ghost and a
//!   flow that isn't mail is not looked at again. A SYN with another number makes the ports free at once.
//!
//! ```text
//! SYN, bare ACK -> embryo -> payload -> flow -> both FIN, RST, not mail -> settled -> new SYN, timeout -> (forgotten)
//!                    |                    |
//!                    RST, timeout         idle, evicted, new SYN  -> (forgotten)
//! ```
//!
//! Each roster has a bound, and at the bound the item longest without a segment goes (recency is kept to within 50 ms of
//! packet time). An RST or a FIN alone opens nothing.
//!
//! # Time
//!
//! Everything expires by packet time as `clock` makes it safe. Segments drive it by themselves;
//! [`FlowTable::advance`] is for frames that carry no segment and for quiet taps.
//!
//! # Cost
//!
//! A segment in order costs one hash lookup, a few comparisons and the call to the conversation: nothing is copied or
//! allocated. Besides its conversation, a flow costs under 400 octets.

use super::clock::{Clock, Elapsed};
use super::conversation::{CloseReason, Conversation, Side};
use super::directory::{Directory, FlowKey, Place};
use super::embryo::Embryo;
use super::flow::{Ending, Flow, Scope};
use super::roster::{Order, MAX_ITEMS};
use super::segment::Segment;
use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::frame::Timestamp;
use crate::limits::Limits;

/// The bounds of this layer, in the units it counts in.
#[derive(Debug)]
pub(super) struct Bounds {
    pub out_of_order_octets: usize,
    pub out_of_order_segments: usize,
    pub causal_hold_octets: usize,
    pub all_out_of_order_octets: usize,
    pub gap_grace_ns: i64,
    flows: usize,
    embryos: usize,
    settled: usize,
    idle_ns: i64,
    embryo_idle_ns: i64,
    settled_idle_ns: i64,
}

impl Bounds {
    fn new(limits: &Limits) -> Self {
        let ns = |ms: usize| i64::try_from(ms).map_or(i64::MAX, |ms| ms.saturating_mul(1_000_000));
        let items = |limit: usize| limit.clamp(1, MAX_ITEMS);
        Self {
            out_of_order_octets: limits.out_of_order_octets_per_flow,
            out_of_order_segments: limits.out_of_order_segments_per_flow,
            causal_hold_octets: limits.causal_hold_octets_per_flow,
            all_out_of_order_octets: limits.out_of_order_octets,
            gap_grace_ns: ns(limits.gap_grace_ms).max(1),
            flows: items(limits.flows),
            embryos: items(limits.embryonic_flows),
            settled: items(limits.settled_flows),
            idle_ns: ns(limits.flow_idle_timeout_ms),
            embryo_idle_ns: ns(limits.embryonic_timeout_ms),
            settled_idle_ns: ns(limits.settled_timeout_ms),
        }
    }
}

/// Every flow, and the conversations that read them.
#[derive(Debug)]
pub struct FlowTable<C: Conversation> {
    bounds: Bounds,
    clock: Clock,
    held_octets: usize,
    book: Book<C>,
}

impl<C: Conversation> FlowTable<C> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            bounds: Bounds::new(limits),
            clock: Clock::default(),
            held_octets: 0,
            book: Book {
                directory: Directory::default(),
                waiting: Order::default(),
            },
        }
    }

    /// Takes in one segment: lets time pass, and tells the flow's conversation what it makes known.
    ///
    /// Counts each anomaly of a flow in *anomalies* and notes it on the flow's conversation.
    pub fn segment(
        &mut self,
        segment: &Segment<'_>,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
        context: &mut C::Context,
    ) {
        self.clock.observe(segment.at);
        self.with_book(segment.at, counters, anomalies, context, |book, scope| {
            book.expire(scope);
            book.segment(segment, scope);
        });
    }

    /// Lets packet time pass: closes idle flows, gives up what was waited for too long. Costs what expires.
    pub fn advance(
        &mut self,
        now: Timestamp,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
        context: &mut C::Context,
    ) {
        self.clock.observe(now);
        self.with_book(now, counters, anomalies, context, Book::expire);
    }

    /// The end of the capture: tells everything held and closes every flow, by start and then by endpoints.
    ///
    /// Nothing is left of it, its time neither: the next capture may be of another year.
    pub fn finish(&mut self, counters: &mut Counters, anomalies: &mut AnomalyCounts, context: &mut C::Context) {
        let at = Timestamp::default();
        self.with_book(at, counters, anomalies, context, Book::finish);
        self.clock = Clock::default();
    }

    /// Flows with a conversation, or about to have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.book.directory.rosters.flows.len()
    }

    /// True if no flow has a conversation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Flows that have shown no payload yet.
    #[must_use]
    pub fn embryonic(&self) -> usize {
        self.book.directory.rosters.embryos.len()
    }

    /// Flows that are only remembered.
    #[must_use]
    pub fn settled(&self) -> usize {
        self.book.directory.rosters.settled.len()
    }

    /// Octets that held pieces are charged with, in all flows.
    #[must_use]
    pub const fn held_octets(&self) -> usize {
        self.held_octets
    }

    fn with_book(
        &mut self,
        at: Timestamp,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
        context: &mut C::Context,
        work: impl FnOnce(&mut Book<C>, &mut Scope<'_, C>),
    ) {
        let mut scope = Scope {
            bounds: &self.bounds,
            counters,
            anomalies,
            context,
            held_octets: &mut self.held_octets,
            now: self.clock.now(),
            at,
        };
        work(&mut self.book, &mut scope);
    }
}

/// The flows and the rules by which they come and go.
#[derive(Debug)]
struct Book<C: Conversation> {
    directory: Directory<C>,
    /// Flows that wait for missing octets, by when they began to.
    waiting: Order,
}

impl<C: Conversation> Book<C> {
    fn segment(&mut self, segment: &Segment<'_>, scope: &mut Scope<'_, C>) {
        let (key, side) = FlowKey::of(segment);
        match self.directory.find(&key) {
            Some(Place::Flow(number)) => self.flow_segment(number, key, side, segment, scope),
            Some(Place::Embryo(number)) => self.embryo_segment(number, key, side, segment, scope),
            Some(Place::Settled(number)) => self.settled_segment(number, key, side, segment, scope),
            None => self.stranger(key, side, segment, scope),
        }
    }

    fn flow_segment(&mut self, number: u32, key: FlowKey, side: Side, segment: &Segment<'_>, scope: &mut Scope<'_, C>) {
        let flows = &mut self.directory.rosters.flows;
        flows.touch(number, scope.now);
        let Some(flow) = flows.get_mut(number) else {
            return;
        };
        if segment.flags.syn() && flow.is_other_use(side, segment) {
            self.end(number, CloseReason::Reused, scope);
            return self.stranger(key, side, segment, scope);
        }
        let ended = flow.segment(side, segment, scope);
        self.follow_up(number, ended, scope);
    }

    fn embryo_segment(
        &mut self,
        number: u32,
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        scope: &mut Scope<'_, C>,
    ) {
        let embryos = &mut self.directory.rosters.embryos;
        embryos.touch(number, scope.now);
        let Some(embryo) = embryos.get_mut(number) else {
            return;
        };
        if segment.flags.rst() {
            self.directory.take_embryo(number);
            return;
        }
        if embryo.is_other_use(side, segment) {
            *embryo = Embryo::new(key, segment.at);
        }
        if embryo.observe(side, segment) {
            if let Some(embryo) = self.directory.take_embryo(number) {
                self.hatch(embryo, side, segment, scope);
            }
        }
    }

    fn settled_segment(
        &mut self,
        number: u32,
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        scope: &mut Scope<'_, C>,
    ) {
        let roster = &mut self.directory.rosters.settled;
        roster.touch(number, scope.now);
        let first = roster.get(number).and_then(|s| s.first[side.index()]);
        if segment.flags.syn() && first != Some(segment.seq.plus(1)) {
            self.directory.take_settled(number);
            self.stranger(key, side, segment, scope);
        }
    }

    /// A segment of an unknown flow. A FIN or RST without payload has nothing left to tell.
    fn stranger(&mut self, key: FlowKey, side: Side, segment: &Segment<'_>, scope: &mut Scope<'_, C>) {
        let bare = segment.payload.is_empty() && segment.snapped_octets == 0;
        if segment.flags.rst() || (segment.flags.fin() && bare) {
            return;
        }
        let mut embryo = Embryo::new(key, segment.at);
        if embryo.observe(side, segment) {
            return self.hatch(embryo, side, segment, scope);
        }
        if self.directory.rosters.embryos.len() >= scope.bounds.embryos {
            let stalest = self.directory.rosters.embryos.stalest();
            stalest.and_then(|(number, _)| self.directory.take_embryo(number));
            scope.counters.flows_embryonic_evicted += 1;
        }
        self.directory.add_embryo(embryo, scope.now);
    }

    /// Makes *embryo*, which is in no roster, a flow, and gives it the segment that brought it so far.
    fn hatch(&mut self, embryo: Embryo, side: Side, segment: &Segment<'_>, scope: &mut Scope<'_, C>) {
        if self.directory.rosters.flows.len() >= scope.bounds.flows {
            if let Some((stalest, _)) = self.directory.rosters.flows.stalest() {
                self.end(stalest, CloseReason::Evicted, scope);
            }
        }
        scope.counters.flows += 1;
        let number = self.directory.add_flow(Flow::new(embryo.grow()), scope.now);
        if let Some(flow) = self.directory.rosters.flows.get_mut(number) {
            let ended = flow.segment(side, segment, scope);
            self.follow_up(number, ended, scope);
        }
    }

    /// After a flow has moved: settles it if it ended, else sees to it that its waiting is timed.
    fn follow_up(&mut self, number: u32, ended: bool, scope: &mut Scope<'_, C>) {
        if ended {
            return self.end(number, CloseReason::Finished, scope);
        }
        let flow = self.directory.rosters.flows.get(number);
        let waits = flow.is_some_and(Flow::waits);
        if waits != self.waiting.contains(number) {
            match waits {
                true => self.waiting.append(number, scope.now),
                false => self.waiting.remove(number),
            }
        }
    }

    /// Ends the flow *number*, for *reason* unless it ended by itself, and remembers it if more may come of it.
    fn end(&mut self, number: u32, reason: CloseReason, scope: &mut Scope<'_, C>) {
        self.waiting.remove(number);
        let Some(mut flow) = self.directory.take_flow(number) else {
            return;
        };
        if reason == CloseReason::Evicted {
            scope.counters.flows_evicted += 1;
            flow.note(Anomaly::TcpFlowEvicted, scope);
        }
        let late_segments = match flow.end(reason, scope) {
            Ending::NotMail => {
                scope.counters.flows_not_mail += 1;
                true
            }
            Ending::Closed(CloseReason::IdleTimeout) => {
                scope.counters.flows_timed_out += 1;
                false
            }
            Ending::Closed(ended) => {
                matches!(ended, CloseReason::Finished | CloseReason::Reset)
            }
        };
        if late_segments && reason != CloseReason::Reused {
            self.settle(&flow, scope);
        }
    }

    fn settle(&mut self, flow: &Flow<C>, scope: &mut Scope<'_, C>) {
        if self.directory.rosters.settled.len() >= scope.bounds.settled {
            let stalest = self.directory.rosters.settled.stalest();
            stalest.and_then(|(number, _)| self.directory.take_settled(number));
            scope.counters.flows_settled_evicted += 1;
        }
        self.directory.add_settled(flow.settled(), scope.now);
    }

    fn expire(&mut self, scope: &mut Scope<'_, C>) {
        let bounds = scope.bounds;
        let now = scope.now;
        let due = |first: Option<(u32, Elapsed)>, after_ns: i64| match first {
            Some((number, since)) if now.since_ns(since) >= after_ns => Some(number),
            _ => None,
        };
        while let Some(number) = due(self.waiting.first(), bounds.gap_grace_ns) {
            self.stop_waiting(number, scope);
        }
        while let Some(number) = due(self.directory.rosters.flows.stalest(), bounds.idle_ns) {
            self.end(number, CloseReason::IdleTimeout, scope);
        }
        while let Some(n) = due(self.directory.rosters.embryos.stalest(), bounds.embryo_idle_ns) {
            self.directory.take_embryo(n);
        }
        while let Some(n) = due(self.directory.rosters.settled.stalest(), bounds.settled_idle_ns) {
            self.directory.take_settled(n);
        }
    }

    fn stop_waiting(&mut self, number: u32, scope: &mut Scope<'_, C>) {
        self.waiting.remove(number);
        if let Some(flow) = self.directory.rosters.flows.get_mut(number) {
            let ended = flow.expire(scope);
            self.follow_up(number, ended, scope);
        }
    }

    fn finish(&mut self, scope: &mut Scope<'_, C>) {
        let flows = self.directory.rosters.flows.iter();
        let mut numbers: Vec<_> = flows
            .map(|(number, flow)| (flow.started_at(), flow.key(), number))
            .collect();
        numbers.sort_unstable();
        for (_, _, number) in numbers {
            let flow = self.directory.rosters.flows.get(number);
            scope.at = flow.map_or(scope.at, Flow::last_seen);
            self.end(number, CloseReason::EndOfCapture, scope);
        }
        self.directory = Directory::default();
    }
}
