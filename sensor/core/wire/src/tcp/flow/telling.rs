//! The order of telling: what may be told next, and the calls to the conversation.

use super::{Ending, Flow, Scope};
use crate::anomaly::Anomaly;
use crate::frame::Timestamp;
use crate::tcp::assembler::Body;
use crate::tcp::conversation::{CloseReason, Conversation, Side, Verdict};
use crate::tcp::stream::Stream;

/// What can be told next of one side.
enum Step {
    Gap(i64),
    Piece,
}

impl<C: Conversation> Flow<C> {
    /// After anything changed: tells what can be told, keeps to the bounds, and notes what is waited for.
    pub(super) fn settle(&mut self, scope: &mut Scope<'_, C>) {
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
    pub(super) fn pump(&mut self, scope: &mut Scope<'_, C>) {
        self.tell_ready(scope);
        let due = self
            .reset
            .as_ref()
            .is_some_and(|reset| self.next(reset.side) >= reset.offset && self.next(reset.side.peer()) >= reset.needs);
        if due {
            self.conclude(CloseReason::Reset, scope);
        }
    }

    /// Tells all that is held, giving up every hole, and ends the flow for *reason*.
    pub(super) fn conclude(&mut self, reason: CloseReason, scope: &mut Scope<'_, C>) {
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
        let (stream, peer) = (&self.streams[side.index()], &self.streams[side.peer().index()]);
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
    pub(super) fn tell(&mut self, side: Side, body: &Body<&[u8]>, at: Timestamp, scope: &mut Scope<'_, C>) {
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

    pub(super) fn tell_gap(&mut self, side: Side, octets: i64, scope: &mut Scope<'_, C>) {
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

    pub(super) fn tell_fin(&mut self, side: Side, at: Timestamp, scope: &mut Scope<'_, C>) {
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
    pub(super) fn conversation<T>(
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
