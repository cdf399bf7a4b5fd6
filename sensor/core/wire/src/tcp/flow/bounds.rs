//! Bounds: what a flow gives up so that it holds no more than it may.

use super::{Flow, Scope};
use crate::anomaly::Anomaly;
use crate::tcp::conversation::{Conversation, Side};
use crate::tcp::stream::Stream;

impl<C: Conversation> Flow<C> {
    pub(super) fn keep_bounds(&mut self, scope: &mut Scope<'_, C>) {
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
                stream.charge() > bounds.out_of_order_octets || stream.pieces() > bounds.out_of_order_segments
            };
            while self.ending.is_none() && over(self.stream(side)) {
                self.by_bound(scope, |flow, scope| flow.give_up_front(side, scope));
            }
        }
        if self.charge() > 0 && scope.held_octets.saturating_add(self.charge()) > bounds.all_out_of_order_octets {
            self.by_bound(scope, Self::give_up_all);
        }
    }

    /// Runs *work* and counts the octets that it gives up as given up by a bound.
    fn by_bound(&mut self, scope: &mut Scope<'_, C>, work: impl FnOnce(&mut Self, &mut Scope<'_, C>)) {
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
