//! A transaction under construction, and what became of it.
//!
//! The client's side opens a draft with MAIL and adds to it; replies come later and are written into it. It is *sealed* when
//! the client's side is done with it (content complete, RSET, a new greeting, QUIT, TLS, the end of the flow), and turns
//! into a record once no reply to it is awaited any more.

use crate::anomaly::AnomalySet;
use crate::content::ContentReader;
use crate::counters::Counters;
use crate::frame::Timestamp;
use crate::interest::Interest;
use crate::limits::Limits;
use crate::message::MessageFacts;
use crate::record::event::{Completeness, FlowId, ForwardPath, Outcome, Reply, SessionFacts, Transaction};
use crate::structure::Envelope;

use super::path::Path;
use super::state::ReplyClass;

/// Why nothing more is added to a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// The content was transferred to its end.
    Complete,
    /// RSET, a new greeting, QUIT, a new MAIL, or TLS.
    Abandoned,
    /// The connection ended under it.
    ConnectionLost,
    /// The capture ended, or the flow was given up: what came after is unknown.
    Unseen,
}

/// One transaction as far as it is known.
#[derive(Clone, Default)]
pub struct Draft {
    /// Number within the session, from 0.
    pub number: u32,
    /// Packet time of its first sign.
    pub started_at: Timestamp,
    /// Packet time of its latest sign.
    pub last_at: Timestamp,
    /// Bare reverse-path; none if MAIL was lost.
    pub reverse_path: Option<String>,
    /// Parameters of MAIL.
    pub parameters: Vec<(String, Option<String>)>,
    /// Every RCPT that is kept.
    pub forward_paths: Vec<ForwardPath>,
    /// True if the reply to MAIL accepted it.
    pub sender_accepted: bool,
    /// The reply that refused MAIL, DATA, a BDAT chunk, or the session (421).
    pub refused: Option<Reply>,
    /// The reply to the last RCPT that was refused.
    pub recipient_refused: Option<Reply>,
    /// The final reply: over LMTP the one that says most.
    pub final_reply: Option<Reply>,
    /// A reply that came before the content was complete.
    pub early_reply: Option<Reply>,
    /// LMTP: final replies so far.
    pub final_replies: usize,
    /// LMTP: places of the recipients that were accepted, in order.
    lmtp_recipients: Vec<usize>,
    /// Reads the content while it is transferred.
    pub content: Option<Box<ContentReader>>,
    /// What the content told.
    pub message: Option<Box<MessageFacts>>,
    /// Octets that reverse-path, forward-paths and their parameters hold.
    pub envelope_octets: usize,
    /// Octets that `message` holds.
    pub message_octets: usize,
    /// What it held when the next draft opened.
    pub counted: usize,
    /// Anything the artifact table names occurs.
    pub touched: bool,
    /// Replies awaited.
    pub awaited: u32,
    /// What was known of the session when it was sealed.
    pub session: Option<SessionFacts>,
    /// Why nothing more is added.
    pub sealed: Option<Seal>,
    /// What was not seen.
    pub completeness: Completeness,
    /// What was odd.
    pub anomalies: AnomalySet,
}

impl Draft {
    /// A draft whose first sign came at *at*.
    #[must_use]
    pub fn open(number: u32, at: Timestamp) -> Self {
        Self {
            number,
            started_at: at,
            last_at: at,
            ..Self::default()
        }
    }

    /// Octets it holds beside its own size, without a walk over them.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        let content = self.content.as_ref().map_or(0, |content| content.held_octets());
        self.envelope_octets + self.message_octets + content
    }

    /// Keeps the reverse-path and its parameters.
    pub fn set_sender(&mut self, path: Path) {
        self.envelope_octets += path.held_octets();
        self.reverse_path = Some(path.address);
        self.parameters = path.parameters;
    }

    /// Keeps a recipient.
    pub fn add_recipient(&mut self, path: ForwardPath) {
        let orcpt = path.orcpt.as_ref().map_or(0, String::len);
        self.envelope_octets += size_of::<ForwardPath>() + path.address.len() + orcpt;
        self.forward_paths.push(path);
    }

    /// Draws the facts of its content, whole or not, and gives back what read it. None if there was no content.
    pub fn finish_content(
        &mut self,
        interest: &Interest,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<Box<ContentReader>> {
        let mut content = self.content.take()?;
        let envelope = Envelope {
            touched: self.touched,
            reverse_path: self.reverse_path.as_deref(),
            forward_paths: &self.forward_paths,
        };
        let (facts, touched) = content.finish(&envelope, interest, limits, counters);
        self.anomalies.extend(facts.anomalies);
        self.touched = touched;
        self.message_octets = facts.held_octets();
        self.message = Some(Box::new(facts));
        Some(content)
    }

    /// Its record: what became of it is *outcome*, which *reply* decided.
    #[must_use]
    pub fn into_transaction(
        self,
        flow: FlowId,
        session: SessionFacts,
        outcome: Outcome,
        reply: Option<Reply>,
        interest: &Interest,
    ) -> Transaction {
        let refused = reply.as_ref().filter(|reply| reply.code >= 400);
        Transaction {
            started_at: self.started_at,
            ended_at: self.last_at.max(self.started_at),
            flow,
            session,
            touched: self.touched || refused.is_some_and(|reply| refuses_forwarding(reply, interest)),
            reverse_path: self.reverse_path,
            reverse_path_params: self.parameters,
            forward_paths: self.forward_paths,
            outcome,
            reply,
            message: self.message,
            completeness: self.completeness,
            anomalies: self.anomalies,
        }
    }

    /// True once it can be recorded.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.sealed.is_some() && self.awaited == 0
    }

    /// Seals it, unless it is sealed already.
    pub fn seal(&mut self, seal: Seal) {
        if self.sealed.is_none() {
            self.sealed = Some(seal);
            self.completeness.truncated |= matches!(seal, Seal::ConnectionLost | Seal::Unseen);
        }
    }

    /// Writes a final reply over LMTP: one per accepted recipient, in their order (RFC 2033 4.2). True if more are to come.
    ///
    /// The reply kept for the whole is the first that delivered, else the last that said "later", else the last.
    pub fn lmtp_reply(&mut self, reply: Reply) -> bool {
        if self.final_replies == 0 {
            self.lmtp_recipients = (0..self.forward_paths.len())
                .filter(|index| self.forward_paths[*index].accepted)
                .collect();
        }
        if let Some(path) = self
            .lmtp_recipients
            .get(self.final_replies)
            .and_then(|index| self.forward_paths.get_mut(*index))
        {
            path.reply_code = Some(reply.code);
            path.accepted = ReplyClass::of(reply.code) == ReplyClass::PositiveCompletion;
        }
        self.final_replies += 1;
        let weight = |reply: &Reply| match ReplyClass::of(reply.code) {
            ReplyClass::PositiveCompletion => 2,
            ReplyClass::TransientNegative => 1,
            ReplyClass::PositiveIntermediate | ReplyClass::PermanentNegative => 0,
        };
        let kept = self.final_reply.as_ref().map(weight);
        if kept.is_none_or(|kept| kept < 2 && weight(&reply) >= kept) {
            self.final_reply = Some(reply);
        }
        self.final_replies < self.lmtp_recipients.len()
    }

    /// What became of it, and the reply that decided.
    #[must_use]
    pub fn outcome(&self) -> (Outcome, Option<Reply>) {
        let delivered = self
            .final_reply
            .as_ref()
            .filter(|reply| by_class(reply) == Outcome::Delivered);
        // What was refused first decides: later refusals (503 to content without a transaction) follow from it.
        // A 421 after every recipient was refused only closes the session.
        let refused = self
            .refused
            .as_ref()
            .filter(|reply| reply.code != 421 || self.outcome_of_recipients().is_none());
        if let Some(reply) = delivered.or(refused).or(self.final_reply.as_ref()) {
            return (by_class(reply), Some(reply.clone()));
        }
        if let Some(outcome) = self.outcome_of_recipients() {
            return (outcome, self.recipient_refused.clone());
        }
        match self.sealed {
            Some(Seal::Complete) | Some(Seal::Unseen) | None => (Outcome::Unknown, None),
            Some(Seal::Abandoned | Seal::ConnectionLost) => (Outcome::Aborted, None),
        }
    }

    /// What became of it if no recipient was accepted.
    #[must_use]
    pub fn outcome_of_recipients(&self) -> Option<Outcome> {
        let all = &self.forward_paths;
        let refused = !all.is_empty()
            && all
                .iter()
                .all(|path| path.reply_code.is_some_and(|code| ReplyClass::of(code).is_negative()));
        let for_now = all
            .iter()
            .any(|path| path.reply_code.is_some_and(|code| code / 100 == 4));
        refused.then_some(if for_now { Outcome::Deferred } else { Outcome::Rejected })
    }
}

/// True if *reply* says that it is forwarding what was refused: in words, or by the status code that Exchange Online gives it.
fn refuses_forwarding(reply: &Reply, interest: &Interest) -> bool {
    reply.enhanced.as_deref() == Some("5.7.520") || interest.marks_reply(&reply.text)
}

fn by_class(reply: &Reply) -> Outcome {
    match ReplyClass::of(reply.code) {
        ReplyClass::PositiveCompletion => Outcome::Delivered,
        // A 3yz at the end of the content is no verdict.
        ReplyClass::PositiveIntermediate => Outcome::Unknown,
        ReplyClass::TransientNegative => Outcome::Deferred,
        ReplyClass::PermanentNegative => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16) -> Reply {
        Reply {
            code,
            enhanced: None,
            text: String::new(),
        }
    }

    fn path(code: Option<u16>) -> ForwardPath {
        ForwardPath {
            address: "a@b".into(),
            reply_code: code,
            accepted: code == Some(250),
            orcpt: None,
        }
    }

    #[test]
    fn the_outcome_follows_from_replies_and_seal() {
        let sealed = |seal| Draft {
            sealed: Some(seal),
            ..Draft::default()
        };
        let with = |seal, change: fn(&mut Draft)| {
            let mut draft = sealed(seal);
            change(&mut draft);
            draft.outcome().0
        };
        assert_eq!(
            with(Seal::Complete, |draft| draft.final_reply = Some(reply(250))),
            Outcome::Delivered
        );
        assert_eq!(
            with(Seal::Complete, |draft| draft.final_reply = Some(reply(554))),
            Outcome::Rejected
        );
        assert_eq!(
            with(Seal::Complete, |draft| draft.final_reply = Some(reply(451))),
            Outcome::Deferred
        );
        assert_eq!(with(Seal::Complete, |_| ()), Outcome::Unknown);
        assert_eq!(with(Seal::Abandoned, |_| ()), Outcome::Aborted);
        assert_eq!(with(Seal::ConnectionLost, |_| ()), Outcome::Aborted);
        assert_eq!(with(Seal::Unseen, |_| ()), Outcome::Unknown);
        assert_eq!(
            with(Seal::Abandoned, |draft| draft.refused = Some(reply(550))),
            Outcome::Rejected
        );
        assert_eq!(
            with(Seal::Abandoned, |draft| draft.forward_paths =
                vec![path(Some(550)), path(Some(550))]),
            Outcome::Rejected
        );
        assert_eq!(
            with(Seal::Abandoned, |draft| draft.forward_paths =
                vec![path(Some(550)), path(Some(450))]),
            Outcome::Deferred
        );
        assert_eq!(
            with(Seal::Abandoned, |draft| draft.forward_paths =
                vec![path(Some(550)), path(Some(250))]),
            Outcome::Aborted
        );
        assert_eq!(
            with(Seal::Abandoned, |draft| draft.forward_paths =
                vec![path(Some(550)), path(None)]),
            Outcome::Aborted
        );
    }

    #[test]
    fn lmtp_replies_go_to_the_accepted_recipients_in_order() {
        let mut draft = Draft {
            forward_paths: vec![path(Some(250)), path(Some(550)), path(Some(250)), path(Some(250))],
            ..Draft::default()
        };
        assert!(draft.lmtp_reply(reply(452)));
        assert!(draft.lmtp_reply(reply(250)));
        assert!(!draft.lmtp_reply(reply(550)));
        let codes: Vec<_> = draft
            .forward_paths
            .iter()
            .map(|path| (path.reply_code, path.accepted))
            .collect();
        assert_eq!(
            codes,
            [
                (Some(452), false),
                (Some(550), false),
                (Some(250), true),
                (Some(550), false)
            ]
        );
        assert_eq!(draft.outcome().0, Outcome::Delivered);
    }
}
