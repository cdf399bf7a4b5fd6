//! A mail whose envelope is known by other means than its commands: a milter was told it, a journal report holds it.

use std::net::IpAddr;

use crate::anomaly::Anomaly;
use crate::counters::Counters;
use crate::frame::Timestamp;
use crate::limits::Limits;
use crate::record::event::{Event, FlowId, ForwardPath, Outcome, Protocol, Reply, SessionFacts, Transaction};
use crate::smtp::client::{differs, name_in};
use crate::smtp::context::Context;
use crate::smtp::draft::Draft;
use crate::smtp::path::{address_in, parameter, xtext, Path, MAX_PARAMETERS};

/// What is known of a mail before its content.
///
/// Addresses may stand in angle brackets; values of parameters are as a command has them, in xtext where that is defined.
#[derive(Clone, Debug)]
pub struct KnownEnvelope {
    /// Where it went, and when the session began.
    pub flow: FlowId,
    /// When the mail began.
    pub started_at: Timestamp,
    /// The protocol by the client's greeting; none where nobody told.
    pub protocol: Option<Protocol>,
    /// The client's name in its greeting.
    pub helo: Option<String>,
    /// User name of a successful AUTH.
    pub auth_user: Option<String>,
    /// The session was inside TLS.
    pub tls: bool,
    /// The real client, where it isn't the flow's.
    pub client_ip: Option<IpAddr>,
    /// 0 for the session's first mail.
    pub transaction_index: u32,
    /// The reverse-path, empty for the null one; none where nobody told.
    pub reverse_path: Option<String>,
    /// Parameters of MAIL.
    pub parameters: Vec<(String, Option<String>)>,
    /// The forward-paths.
    pub forward_paths: Vec<KnownPath>,
}

/// A forward-path and what became of it.
#[derive(Clone, Debug)]
pub struct KnownPath {
    /// The address.
    pub address: String,
    /// Code of the reply to RCPT; none where nobody told.
    pub reply_code: Option<u16>,
    /// Enhanced status code of that reply.
    pub enhanced: Option<String>,
    /// True if it was accepted.
    pub accepted: bool,
    /// ORCPT parameter.
    pub orcpt: Option<String>,
}

/// What became of a mail.
#[derive(Clone, Debug)]
pub struct MailEnd {
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The reply that decided, as far as it is known.
    pub reply: Option<Reply>,
    /// Not all of its content was handed in: its size and digest can't be known.
    pub truncated: bool,
}

/// One mail under way.
pub(super) struct Mail {
    flow: FlowId,
    session: SessionFacts,
    draft: Draft,
    /// What the context knows it to hold.
    accounted: usize,
}

impl Mail {
    pub(super) fn begin(envelope: KnownEnvelope, context: &mut Context) -> Self {
        let client = envelope.flow.client.address;
        let mut texts = Texts::new(context.limits.line_octets);
        let session = SessionFacts {
            protocol: envelope.protocol,
            helo: envelope.helo.and_then(|name| name_in(texts.bounded(&name))),
            auth_user: envelope.auth_user.map(|user| texts.text(&user)),
            tls: envelope.tls,
            client_ip: envelope
                .client_ip
                .or(Some(client).filter(|client| !client.is_unspecified())),
            transaction_index: envelope.transaction_index,
        };
        let mut draft = Draft::open(0, envelope.started_at);
        if let Some(path) = envelope.reverse_path {
            let address = address_in(texts.bounded(&path));
            draft.touched = context.interest.marks_reverse_path(address.as_bytes());
            draft.set_sender(Path {
                address,
                parameters: parameters(envelope.parameters, &mut texts),
                well_formed: true,
            });
        }
        add_recipients(&mut draft, envelope.forward_paths, &mut texts, context);
        if texts.dropped > 0 {
            context.counters.line_octets_dropped += texts.dropped;
            note(&mut draft, Anomaly::SmtpLineTooLong, context);
        }
        let mut mail = Self {
            flow: envelope.flow,
            session,
            draft,
            accounted: 0,
        };
        mail.account(context);
        mail
    }

    pub(super) fn content(&mut self, octets: &[u8], context: &mut Context) {
        let content = self.draft.content.get_or_insert_with(|| context.reader());
        content.feed(octets, &context.interest, &context.limits);
        self.account(context);
    }

    pub(super) fn as_delivered(&self, context: &Context) -> Transaction {
        let mut draft = self.draft.clone();
        draft.finish_content(&context.interest, &context.limits, &mut Counters::default());
        let session = self.session.clone();
        draft.into_transaction(self.flow, session, Outcome::Delivered, None, &context.interest)
    }

    pub(super) fn end(mut self, end: MailEnd, context: &mut Context) {
        let mut draft = std::mem::take(&mut self.draft);
        draft.last_at = draft.last_at.max(end.at);
        draft.completeness.truncated |= end.truncated;
        if let Some(content) = draft.content.as_mut().filter(|_| end.truncated) {
            content.end_inside();
        }
        let Context {
            interest,
            limits,
            counters,
            ..
        } = context;
        if let Some(content) = draft.finish_content(interest, limits, counters) {
            context.spare(content);
        }
        if let Some(facts) = &draft.message {
            context.tell_content(facts);
        }
        let reply = end.reply.map(|reply| bounded_reply(reply, &context.limits));
        let decided = draft.outcome_of_recipients() == Some(end.outcome);
        let reply = reply.or_else(|| draft.recipient_refused.clone().filter(|_| decided));
        context.counters.transactions += 1;
        let transaction = draft.into_transaction(self.flow, self.session, end.outcome, reply, &context.interest);
        context.events.push(Event::Transaction(Box::new(transaction)));
        context.holds(&mut self.accounted, 0);
    }

    /// Tells *context* what it holds, and sheds its content where all together hold too much.
    fn account(&mut self, context: &mut Context) {
        let held = size_of::<Draft>() + self.draft.held_octets();
        if !context.holds(&mut self.accounted, held) {
            return;
        }
        let Some(content) = &mut self.draft.content else { return };
        content.shed(&context.interest, &context.limits);
        self.draft.completeness.truncated = true;
        let left = size_of::<Draft>() + self.draft.held_octets();
        context.counters.session_octets_shed += held.saturating_sub(left) as u64;
        context.holds(&mut self.accounted, left);
        note(&mut self.draft, Anomaly::SmtpSessionShed, context);
    }
}

fn note(draft: &mut Draft, anomaly: Anomaly, context: &mut Context) {
    context.count(anomaly);
    draft.anomalies.insert(anomaly);
}

fn parameters(given: Vec<(String, Option<String>)>, texts: &mut Texts) -> Vec<(String, Option<String>)> {
    let read = |(name, value): (String, Option<String>)| {
        let name = texts.bounded(&name).to_vec();
        parameter(&name, value.as_deref().map(|value| texts.bounded(value)))
    };
    given.into_iter().take(MAX_PARAMETERS).map(read).collect()
}

fn add_recipients(draft: &mut Draft, paths: Vec<KnownPath>, texts: &mut Texts, context: &mut Context) {
    let most = context.limits.recipients;
    if let Some(beyond) = paths.len().checked_sub(most).filter(|beyond| *beyond > 0) {
        context.counters.recipients_dropped += beyond as u64;
        note(draft, Anomaly::SmtpTooManyRecipients, context);
    }
    for path in paths.into_iter().take(most) {
        let address = address_in(texts.bounded(&path.address));
        let orcpt = path.orcpt.map(|orcpt| xtext(texts.bounded(&orcpt)));
        draft.touched |= orcpt.as_deref().is_some_and(|orcpt| differs(orcpt, &address));
        if let Some(code) = path.reply_code.filter(|code| *code >= 400) {
            draft.recipient_refused = Some(Reply {
                code,
                enhanced: path.enhanced,
                text: String::new(),
            });
        }
        draft.add_recipient(ForwardPath {
            address,
            reply_code: path.reply_code,
            accepted: path.accepted,
            orcpt,
        });
    }
}

fn bounded_reply(reply: Reply, limits: &Limits) -> Reply {
    let mut texts = Texts::new(limits.reply_text_octets);
    Reply {
        code: reply.code,
        enhanced: reply.enhanced.map(|enhanced| texts.text(&enhanced)),
        text: texts.text(&reply.text),
    }
}

/// Cuts texts at a bound, and counts what it cut off.
struct Texts {
    octets_max: usize,
    dropped: u64,
}

impl Texts {
    const fn new(octets_max: usize) -> Self {
        Self { octets_max, dropped: 0 }
    }

    /// *text* up to the bound, or a little less, so that no character is cut.
    fn bounded<'a>(&mut self, text: &'a str) -> &'a [u8] {
        self.cut(text).as_bytes()
    }

    fn text(&mut self, text: &str) -> String {
        self.cut(text).to_owned()
    }

    fn cut<'a>(&mut self, text: &'a str) -> &'a str {
        let mut end = text.len().min(self.octets_max);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.dropped += (text.len() - end) as u64;
        &text[..end]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::interest::{Interest, InterestSpec};
    use crate::tcp::segment::Endpoint;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    /// One that `inline.rs` speaks as a dialogue.
    pub fn envelope() -> KnownEnvelope {
        let end = |last, port| Endpoint {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
            port,
        };
        KnownEnvelope {
            flow: FlowId {
                client: end(1, 40_000),
                server: end(2, 25),
                started_at: Timestamp(0),
            },
            started_at: Timestamp(5),
            protocol: Some(Protocol::Esmtp),
            helo: Some("a.example".to_owned()),
            auth_user: None,
            tls: false,
            client_ip: None,
            transaction_index: 0,
            reverse_path: Some("<a@b>".to_owned()),
            parameters: Vec::new(),
            forward_paths: vec![path("<c@d>", 250, None)],
        }
    }

    fn path(address: &str, code: u16, orcpt: Option<&str>) -> KnownPath {
        KnownPath {
            address: address.to_owned(),
            reply_code: Some(code),
            enhanced: None,
            accepted: code < 300,
            orcpt: orcpt.map(str::to_owned),
        }
    }

    fn context(limits: Limits) -> Context {
        let spec = InterestSpec {
            reverse_path_marks: vec!["+caf_=".to_owned()],
            ..InterestSpec::default()
        };
        Context::new(Arc::new(Interest::new(&spec).unwrap()), limits)
    }

    /// The record of a mail with *envelope* and *content*, ended with *outcome*.
    fn told(envelope: KnownEnvelope, content: Option<&[u8]>, outcome: Outcome, truncated: bool) -> Transaction {
        let mut context = context(Limits::default());
        let mut mail = Mail::begin(envelope, &mut context);
        if let Some(content) = content {
            mail.content(content, &mut context);
        }
        let end = MailEnd {
            at: Timestamp(9),
            outcome,
            reply: None,
            truncated,
        };
        mail.end(end, &mut context);
        assert_eq!(context.held_octets(), 0);
        match context.events.pop() {
            Some(Event::Transaction(transaction)) => *transaction,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_command_carries_is_read_as_the_command_would_be() {
        let mut given = envelope();
        given.reverse_path = Some("<Ann@B.Example>".to_owned());
        given.parameters = vec![
            ("envid".to_owned(), Some("q+2B1".to_owned())),
            ("SMTPUTF8".to_owned(), None),
        ];
        given.forward_paths = vec![path("C@D.Example", 250, Some("rfc822;e+2Bf@g"))];
        given.helo = Some("a.example and more".to_owned());
        let told = told(given, None, Outcome::Aborted, false);
        assert_eq!(told.reverse_path.as_deref(), Some("Ann@b.example"));
        assert_eq!(
            told.reverse_path_params,
            [
                ("ENVID".to_owned(), Some("q+1".to_owned())),
                ("SMTPUTF8".to_owned(), None)
            ]
        );
        assert_eq!(told.forward_paths[0].address, "C@d.example");
        assert_eq!(told.forward_paths[0].orcpt.as_deref(), Some("rfc822;e+f@g"));
        assert_eq!(told.session.helo.as_deref(), Some("a.example"));
        assert!(told.touched, "ORCPT names another recipient");
        assert_eq!((told.started_at, told.ended_at), (Timestamp(5), Timestamp(9)));
        assert!(told.message.is_none());
    }

    #[test]
    fn a_marked_reverse_path_touches() {
        let mut given = envelope();
        given.reverse_path = Some("a+caf_=c=d@b".to_owned());
        assert!(told(given, None, Outcome::Delivered, false).touched);
        assert!(!told(envelope(), None, Outcome::Delivered, false).touched);
    }

    #[test]
    fn the_real_client_is_the_one_named_else_the_flow_s() {
        let mut given = envelope();
        assert_eq!(
            told(given.clone(), None, Outcome::Aborted, false).session.client_ip,
            Some(given.flow.client.address)
        );
        given.flow.client.address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        assert_eq!(
            told(given.clone(), None, Outcome::Aborted, false).session.client_ip,
            None
        );
        given.client_ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(
            told(given.clone(), None, Outcome::Aborted, false).session.client_ip,
            given.client_ip
        );
    }

    #[test]
    fn of_content_that_goes_on_unseen_nothing_is_claimed() {
        let cases: [&[u8]; 3] = [
            b"Subject: x\r\n\r\nbody",
            b"Subject: x\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\npart",
        ];
        for content in cases {
            let told = told(envelope(), Some(content), Outcome::Delivered, true);
            let message = told.message.unwrap();
            assert_eq!((message.transferred_octets(), &message.body.digest), (None, &None));
            assert_eq!(message.size_octets, content.len() as u64);
            assert!(told.completeness.truncated);
            assert!(
                told.anomalies.is_empty(),
                "{:?}",
                told.anomalies.iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_refusal_of_every_recipient_decides_where_nobody_says_otherwise() {
        let mut given = envelope();
        given.forward_paths = vec![path("a@b", 550, None), path("c@d", 451, None)];
        let reply = |outcome| told(given.clone(), None, outcome, false).reply.map(|reply| reply.code);
        assert_eq!(reply(Outcome::Deferred), Some(451));
        assert_eq!(reply(Outcome::Aborted), None);
        let mut some = given.clone();
        some.forward_paths[0] = path("a@b", 250, None);
        assert_eq!(told(some, None, Outcome::Deferred, false).reply, None);
    }

    #[test]
    fn texts_are_cut_between_characters_and_counted() {
        let mut texts = Texts::new(4);
        assert_eq!(texts.text("abc"), "abc");
        assert_eq!(texts.text("abcdef"), "abcd");
        assert_eq!(texts.text("abcé"), "abc");
        assert_eq!(texts.dropped, 4);
    }

    #[test]
    fn a_mail_sheds_its_content_where_all_hold_too_much() {
        let mut context = context(Limits {
            session_octets: 4_000,
            flows: 4,
            ..Limits::default()
        });
        let mut mail = Mail::begin(envelope(), &mut context);
        mail.content(b"Subject: x\r\n", &mut context);
        for _ in 0..100 {
            mail.content(&[b'y'; 100], &mut context);
        }
        assert!(context.held_octets() < 4_000);
        assert!(context.counters.session_octets_shed > 0);
        let told = mail.as_delivered(&context);
        assert!(told.completeness.truncated && told.anomalies.contains(Anomaly::SmtpSessionShed));
        let message = told.message.unwrap();
        assert_eq!(message.header.subject.as_deref(), Some("x"));
        assert_eq!(message.size_octets, 12 + 10_000);
    }
}
