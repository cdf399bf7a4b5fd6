//! The road through the layers: frames in, records out.
//!
//! A capture file, a live ring and a test all drive this one engine; a relay drives [`crate::smtp::session`] directly.
//! Packet time is the only clock, so the same frames give the same records, byte for byte.

use std::sync::Arc;

use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::decoder::Decoder;
use crate::frame::{Frame, Timestamp};
use crate::interest::Interest;
use crate::limits::Limits;
use crate::record::event::{Event, FlowId};
use crate::share::Share;
use crate::smtp::context::Context;
use crate::smtp::recognise::{Recognised, Recogniser, Seen};
use crate::smtp::session::{Beginning, Ending, Session};
use crate::tcp::conversation::{CloseReason, Conversation, FlowStart, Side, Verdict};
use crate::tcp::table::FlowTable;

/// Frames in, records out.
pub struct Engine {
    share: Share,
    decoder: Decoder,
    /// What decoding counts in the engines that do not count frames.
    uncounted: (Counters, AnomalyCounts),
    flows: FlowTable<MailFlow>,
    /// Counts of the layers below the session.
    below: Counters,
    anomalies_below: AnomalyCounts,
    context: Context,
}

impl Engine {
    /// An engine with nothing seen yet.
    #[must_use]
    pub fn new(interest: Arc<Interest>, limits: Limits) -> Self {
        Self::sharing(Share::WHOLE, interest, &limits)
    }

    /// An engine that reads its *share* of the flows; *limits* are those of all shares together.
    #[must_use]
    pub fn sharing(share: Share, interest: Arc<Interest>, limits: &Limits) -> Self {
        let limits = share.of_limits(limits);
        Self {
            share,
            decoder: Decoder::new(&limits),
            uncounted: Default::default(),
            flows: FlowTable::new(&limits),
            below: Counters::default(),
            anomalies_below: AnomalyCounts::default(),
            context: Context::new(interest, limits),
        }
    }

    /// Takes in one frame; what became known waits in [`Engine::events`].
    pub fn frame(&mut self, frame: &Frame<'_>) {
        let (below, anomalies) = (&mut self.below, &mut self.anomalies_below);
        let decoded = match self.share.counts_frames() {
            true => self.decoder.decode(frame, below, anomalies),
            false => self.decoder.decode(frame, &mut self.uncounted.0, &mut self.uncounted.1),
        };
        let Some(segment) = decoded else { return };
        if self.share.takes(&segment) {
            self.flows.segment(&segment, below, anomalies, &mut self.context);
        } else {
            self.flows.advance(segment.at, below, anomalies, &mut self.context);
        }
    }

    /// Packet time has come to *now* without a frame: flows that were idle for too long are closed and told.
    pub fn advance(&mut self, now: Timestamp) {
        self.flows
            .advance(now, &mut self.below, &mut self.anomalies_below, &mut self.context);
    }

    /// The capture ended, or what follows has nothing to do with what was seen: every flow is closed and told.
    pub fn finish(&mut self) {
        self.flows
            .finish(&mut self.below, &mut self.anomalies_below, &mut self.context);
        // Fragments that still wait will never be whole.
        self.decoder = Decoder::new(&self.context.limits);
    }

    /// The records that became known, oldest first; take them out.
    pub fn events(&mut self) -> &mut Vec<Event> {
        &mut self.context.events
    }

    /// All counts so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut all = self.below.clone();
        all.add(&self.context.counters);
        all
    }

    /// How often each anomaly was seen so far.
    #[must_use]
    pub fn anomalies(&self) -> AnomalyCounts {
        let mut all = self.anomalies_below.clone();
        all.add(&self.context.anomalies);
        all
    }
}

/// A flow above TCP: being recognised, or a session.
enum MailFlow {
    Open(Box<Recogniser>, FlowStart),
    Session(Box<Session>, Side),
}

impl MailFlow {
    /// A flow that never became a session holds nothing any more.
    fn release(&mut self, context: &mut Context) {
        if let Self::Open(recogniser, _) = self {
            context.holds(&mut recogniser.accounted, 0);
        }
    }

    /// Acts on a verdict; what was kept meanwhile is handed to the session in the order in which it came.
    fn recognised(&mut self, verdict: Recognised, context: &mut Context) -> Verdict {
        let (client, implicit) = match verdict {
            Recognised::Open => return Verdict::Continue,
            Recognised::NotMail => {
                self.release(context);
                return Verdict::NotMail;
            }
            Recognised::Mail(client) => (client, false),
            Recognised::ImplicitTls(client) => (client, true),
        };
        let Self::Open(recogniser, start) = self else {
            return Verdict::Continue;
        };
        context.holds(&mut recogniser.accounted, 0);
        let beginning = match (implicit, start.saw_start.contains(&true)) {
            (true, _) => Beginning::ImplicitTls,
            (false, true) => Beginning::Start,
            (false, false) => Beginning::Midstream,
        };
        let flow = FlowId {
            client: start.endpoint(client),
            server: start.endpoint(client.peer()),
            started_at: start.started_at,
        };
        let mut session = Box::new(Session::new(flow, beginning, context));
        for (side, at, seen) in std::mem::take(&mut recogniser.seen) {
            match seen {
                Seen::Data(octets) => feed(&mut session, side == client, &octets, at, context),
                Seen::Gap(octets) => lose(&mut session, side == client, octets, at, context),
            }
        }
        *self = Self::Session(session, client);
        Verdict::Continue
    }
}

fn feed(session: &mut Session, from_client: bool, octets: &[u8], at: Timestamp, context: &mut Context) {
    if from_client {
        session.client(octets, at, context);
    } else {
        session.server(octets, at, context);
    }
}

fn lose(session: &mut Session, from_client: bool, octets: u64, at: Timestamp, context: &mut Context) {
    if from_client {
        session.client_gap(octets, at, context);
    } else {
        session.server_gap(octets, at, context);
    }
}

impl Conversation for MailFlow {
    type Context = Context;

    fn open(start: &FlowStart, _context: &mut Context) -> Self {
        Self::Open(Box::new(Recogniser::new(start)), *start)
    }

    fn data(&mut self, side: Side, bytes: &[u8], at: Timestamp, context: &mut Context) -> Verdict {
        let verdict = match self {
            Self::Session(session, client) => {
                feed(session, side == *client, bytes, at, context);
                return Verdict::Continue;
            }
            Self::Open(recogniser, _) => {
                let verdict = recogniser.data(side, bytes, at, &context.limits);
                let held = recogniser.held_octets();
                if context.holds(&mut recogniser.accounted, held) && verdict == Recognised::Open {
                    context.counters.session_octets_shed += held as u64;
                    recogniser.give_up()
                } else {
                    verdict
                }
            }
        };
        self.recognised(verdict, context)
    }

    fn gap(&mut self, side: Side, octets: u64, at: Timestamp, context: &mut Context) -> Verdict {
        match self {
            Self::Session(session, client) => lose(session, side == *client, octets, at, context),
            Self::Open(recogniser, _) => recogniser.gap(side, octets, at),
        }
        Verdict::Continue
    }

    fn note(&mut self, anomaly: Anomaly, _context: &mut Context) {
        if let Self::Session(session, _) = self {
            session.told(anomaly);
        }
    }

    fn fin(&mut self, _side: Side, _at: Timestamp, _context: &mut Context) {}

    fn close(&mut self, reason: CloseReason, last_seen: Timestamp, context: &mut Context) {
        let ending = match reason {
            CloseReason::Finished | CloseReason::Reset | CloseReason::Reused => Ending::Closed,
            CloseReason::IdleTimeout | CloseReason::Evicted | CloseReason::EndOfCapture => Ending::Unseen,
        };
        match self {
            Self::Session(session, _) => session.close(ending, last_seen, context),
            // It ended before it told what it was.
            Self::Open(..) => {
                self.release(context);
                context.counters.flows_not_mail += 1;
            }
        }
    }
}
