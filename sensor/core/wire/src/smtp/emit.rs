//! From drafts to records.

use super::context::Context;
use super::draft::Draft;
use super::session::Session;
use crate::frame::Timestamp;
use crate::interest::Interest;
use crate::record::event::{Completeness, Event, Reply, SessionFacts, TlsSession, Transaction};

/// True if *reply* says that it is forwarding what was refused: in words, or by the status code that Exchange Online gives it.
fn refuses_forwarding(reply: &Reply, interest: &Interest) -> bool {
    reply.enhanced.as_deref() == Some("5.7.520") || interest.marks_reply(&reply.text)
}

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
        let known = draft.session.clone().unwrap_or_else(|| self.facts(0));
        let session = SessionFacts {
            transaction_index: self.next_index,
            ..known
        };
        self.next_index = self.next_index.saturating_add(1);
        // XFORWARD speaks of one mail (XFORWARD_README).
        if let Some(front) = &mut self.front {
            front.forwarded = super::origin::Origin::default();
        }
        context.counters.transactions += 1;
        let touched = draft.touched
            || reply
                .as_ref()
                .is_some_and(|reply| reply.code >= 400 && refuses_forwarding(reply, &context.interest));
        context.events.push(Event::Transaction(Box::new(Transaction {
            started_at: draft.started_at,
            ended_at: draft.last_at.max(draft.started_at),
            flow: self.flow,
            session,
            reverse_path: draft.reverse_path,
            reverse_path_params: draft.parameters,
            forward_paths: draft.forward_paths,
            outcome,
            reply,
            message: draft.message,
            touched,
            completeness: Completeness {
                one_sided: !(self.client_seen && self.server_seen),
                ..draft.completeness
            },
            anomalies: draft.anomalies,
        })));
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
            tls: false,
            client_ip: Some(real.unwrap_or(self.flow.client.address)),
            transaction_index,
        }
    }
}
