//! From drafts to records.

use super::context::Context;
use super::draft::Draft;
use super::session::Session;
use crate::counters::Counters;
use crate::frame::Timestamp;
use crate::record::event::{Completeness, Event, Outcome, Reply, SessionFacts, TlsSession, Transaction};

impl Session {
    /// Records every draft that is settled, oldest first.
    pub(super) fn emit_settled(&mut self, context: &mut Context) {
        while self.drafts.front().is_some_and(|draft| draft.is_settled()) {
            let Some(draft) = self.drafts.pop_front() else { return };
            if self.drafts.is_empty() {
                self.has_open_draft = false;
            }
            self.emit(*draft, context);
        }
    }

    /// Records a MAIL that was refused inside an open transaction, which goes on.
    pub(super) fn emit_refused(&mut self, path: super::path::Path, reply: Reply, at: Timestamp, context: &mut Context) {
        let mut draft = Draft::open(0, at);
        draft.set_sender(path);
        draft.refused = Some(reply);
        draft.completeness.midstream = self.midstream;
        self.emit(draft, context);
    }

    fn emit(&mut self, draft: Draft, context: &mut Context) {
        let (outcome, reply) = draft.outcome();
        let transaction = self.transaction(draft, self.next_index, outcome, reply, context);
        self.next_index = self.next_index.saturating_add(1);
        // XFORWARD speaks of one mail (XFORWARD_README).
        if let Some(front) = &mut self.front {
            front.forwarded = super::origin::Origin::default();
        }
        context.counters.transactions += 1;
        context.events.push(Event::Transaction(Box::new(transaction)));
    }

    /// The mail whose content is open, as it would be recorded if its content ended here and it were delivered; none if no
    /// content is open. Changes nothing. Costs a copy of what was kept of the content so far.
    #[must_use]
    pub fn as_delivered(&self, context: &Context) -> Option<Transaction> {
        let open = self.drafts.back().filter(|_| self.has_open_draft)?;
        open.content.as_ref()?;
        let mut draft = open.clone();
        self.read_held_into(&mut draft, context);
        draft.finish_content(&context.interest, &context.limits, &mut Counters::default());
        // The mails before it are told before it.
        let waiting = u32::try_from(self.drafts.len() - 1).unwrap_or(u32::MAX);
        let index = self.next_index.saturating_add(waiting);
        Some(self.transaction(draft, index, Outcome::Delivered, None, context))
    }

    /// What is held since it may be a smuggled command belongs to the content, if that is over with it.
    fn read_held_into(&self, draft: &mut Draft, context: &Context) {
        let Some(content) = &mut draft.content else { return };
        let (mut data, anomalies) = (self.data.clone(), &mut draft.anomalies);
        data.read(
            self.held.unread(),
            anomalies,
            |_| false,
            |piece| content.feed(piece, &context.interest, &context.limits),
        );
    }

    fn transaction(
        &self,
        mut draft: Draft,
        index: u32,
        outcome: Outcome,
        reply: Option<Reply>,
        context: &Context,
    ) -> Transaction {
        let known = draft.session.take().unwrap_or_else(|| self.facts(0));
        let session = SessionFacts {
            transaction_index: index,
            ..known
        };
        draft.completeness.one_sided = !(self.client_seen && self.server_seen);
        draft.into_transaction(self.flow, session, outcome, reply, &context.interest)
    }

    /// Records the session itself if it turned to TLS.
    pub(super) fn emit_tls(&mut self, context: &mut Context) {
        let Some(tls) = self.tls.take() else { return };
        let session = SessionFacts {
            tls: true,
            ..self.facts(self.next_index)
        };
        context.events.push(Event::Session(Box::new(TlsSession {
            started_at: self.flow.started_at,
            ended_at: self.last_at,
            flow: self.flow,
            session,
            tls_start: tls.start,
            sni: tls.sni,
            client_octets: self.client_octets,
            server_octets: self.server_octets,
            completeness: Completeness {
                missing_octets: self.loose_missing,
                one_sided: !(self.client_seen && self.server_seen),
                midstream: self.midstream,
                truncated: false,
            },
            anomalies: self.loose_anomalies,
        })));
    }

    pub(super) fn facts(&self, transaction_index: u32) -> SessionFacts {
        let front = self.front.as_deref();
        let real = front.and_then(|front| front.forwarded.ip.or(front.origin.ip).or(front.proxied_ip));
        let forwarded_helo = front.and_then(|front| front.forwarded.helo.as_ref());
        SessionFacts {
            protocol: self.protocol,
            helo: forwarded_helo.or(self.helo.as_ref()).cloned(),
            auth_user: self.auth_user.clone(),
            tls: self.inside_tls,
            client_ip: Some(real.unwrap_or(self.flow.client.address)),
            transaction_index,
        }
    }
}
