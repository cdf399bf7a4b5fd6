//! Mail that passes through somebody's hands: what a relay, a milter or a receiver of copies sees, as captures tell it.
//!
//! A relay feeds the octets of both sides to a *session*, which is the machine that captures drive ([`crate::smtp::session`]). A
//! milter and a receiver of copies know the envelope by other means: they begin a *mail* with it and hand in its content
//! ([`mail`]). Both have numbers from one sequence, each used once. What became known waits, bounded, until it is taken.
//!
//! The same mail gives the same record by either way and by a capture, but for what a way can't know. The caller's clock is
//! the only one; time that steps back is as harmless as on the wire.

pub mod mail;
pub mod shortcut;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::anomaly::AnomalyCounts;
use crate::counters::Counters;
use crate::frame::Timestamp;
use crate::interest::Interest;
use crate::limits::Limits;
use crate::record::event::{Event, FlowId, Transaction};
use crate::smtp::context::Context;
use crate::smtp::session::{Beginning, Ending, Session};
use crate::tcp::segment::Endpoint;
use mail::{KnownEnvelope, Mail, MailEnd};

/// Which side said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The side that sends commands.
    Client,
    /// The side that replies.
    Server,
}

/// What the caller did wrong, or why it can't be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InlineError {
    /// No session is open under this number.
    NoSession(u64),
    /// No mail is open under this number.
    NoMail(u64),
    /// As many are open, or hold as much, as [`Limits::inline_sessions`] and [`Limits::session_octets`] allow.
    Full,
}

impl fmt::Display for InlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSession(number) => write!(f, "no session {number} is open"),
            Self::NoMail(number) => write!(f, "no mail {number} is open"),
            Self::Full => f.write_str("as much is open as the limits inline_sessions and session_octets allow"),
        }
    }
}

impl std::error::Error for InlineError {}

/// Sessions and mails at once, and what they told.
pub struct Inline {
    context: Context,
    sessions: HashMap<u64, Box<Session>>,
    mails: HashMap<u64, Box<Mail>>,
    next: u64,
}

impl Inline {
    /// With nothing open.
    #[must_use]
    pub fn new(interest: Arc<Interest>, limits: Limits) -> Self {
        Self {
            context: Context::new(interest, limits),
            sessions: HashMap::new(),
            mails: HashMap::new(),
            next: 0,
        }
    }

    // ---- sessions

    /// Opens a session between *client* and *server*, before its first octet; its number.
    ///
    /// # Errors
    /// [`InlineError::Full`]
    pub fn open(&mut self, client: Endpoint, server: Endpoint, at: Timestamp) -> Result<u64, InlineError> {
        self.make_room()?;
        let flow = FlowId {
            client,
            server,
            started_at: at,
        };
        let session = Session::new(flow, Beginning::Start, &mut self.context);
        let number = self.number();
        self.sessions.insert(number, Box::new(session));
        Ok(number)
    }

    /// Octets of one side, cut anywhere. What each side says is to be fed in the order in which it became known: a reply behind
    /// the command that it answers.
    ///
    /// # Errors
    /// [`InlineError::NoSession`]
    pub fn feed(&mut self, number: u64, octets: &[u8], by: Speaker, at: Timestamp) -> Result<(), InlineError> {
        let session = session_in(&mut self.sessions, number)?;
        match by {
            Speaker::Client => session.client(octets, at, &mut self.context),
            Speaker::Server => session.server(octets, at, &mut self.context),
        }
        self.bound_events();
        Ok(())
    }

    /// A TLS handshake is done: what is fed from now on was inside.
    ///
    /// # Errors
    /// [`InlineError::NoSession`]
    pub fn secured(&mut self, number: u64, at: Timestamp) -> Result<(), InlineError> {
        session_in(&mut self.sessions, number)?.secured(at, &mut self.context);
        Ok(())
    }

    /// The mail whose content is being fed, as it would be recorded if that ended here and it were delivered; none if no content is
    /// open. The session stays as it was.
    ///
    /// # Errors
    /// [`InlineError::NoSession`]
    pub fn provisional(&self, number: u64) -> Result<Option<Transaction>, InlineError> {
        let session = self.sessions.get(&number).ok_or(InlineError::NoSession(number))?;
        Ok(session.as_delivered(&self.context))
    }

    /// The connection ended, in order or not: what is open is told.
    ///
    /// # Errors
    /// [`InlineError::NoSession`]
    pub fn close(&mut self, number: u64, at: Timestamp) -> Result<(), InlineError> {
        let mut session = self.sessions.remove(&number).ok_or(InlineError::NoSession(number))?;
        session.close(Ending::Closed, at, &mut self.context);
        self.bound_events();
        Ok(())
    }

    // ---- mails

    /// Begins a mail whose envelope is known; its number.
    ///
    /// # Errors
    /// [`InlineError::Full`]
    pub fn begin(&mut self, envelope: KnownEnvelope) -> Result<u64, InlineError> {
        self.make_room()?;
        let mail = Mail::begin(envelope, &mut self.context);
        let number = self.number();
        self.mails.insert(number, Box::new(mail));
        Ok(number)
    }

    /// The next octets of a mail's content, cut anywhere, dots unstuffed.
    ///
    /// # Errors
    /// [`InlineError::NoMail`]
    pub fn content(&mut self, number: u64, octets: &[u8]) -> Result<(), InlineError> {
        let mail = self.mails.get_mut(&number).ok_or(InlineError::NoMail(number))?;
        mail.content(octets, &mut self.context);
        Ok(())
    }

    /// The mail as it would be recorded if its content ended here and it were delivered. It stays as it was.
    ///
    /// # Errors
    /// [`InlineError::NoMail`]
    pub fn drafted(&self, number: u64) -> Result<Transaction, InlineError> {
        let mail = self.mails.get(&number).ok_or(InlineError::NoMail(number))?;
        Ok(mail.as_delivered(&self.context))
    }

    /// The mail is over, and is told.
    ///
    /// # Errors
    /// [`InlineError::NoMail`]
    pub fn end(&mut self, number: u64, end: MailEnd) -> Result<(), InlineError> {
        let mail = self.mails.remove(&number).ok_or(InlineError::NoMail(number))?;
        mail.end(end, &mut self.context);
        self.bound_events();
        Ok(())
    }

    // ---- what is known

    /// The events that became known since the last call, oldest first.
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.context.events)
    }

    /// How many events wait to be taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.context.events.len()
    }

    /// All counts so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.context.counters
    }

    /// How often each anomaly was seen so far.
    #[must_use]
    pub const fn anomalies(&self) -> &AnomalyCounts {
        &self.context.anomalies
    }

    fn make_room(&mut self) -> Result<(), InlineError> {
        let Context { limits, .. } = &self.context;
        let many = self.sessions.len() + self.mails.len() >= limits.inline_sessions;
        if many || self.context.held_octets() >= limits.session_octets {
            self.context.counters.inline_refused += 1;
            return Err(InlineError::Full);
        }
        Ok(())
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        number
    }

    /// The newest events go where too many wait: those that were told before stay told.
    fn bound_events(&mut self) {
        let Context {
            events,
            limits,
            counters,
            ..
        } = &mut self.context;
        if let Some(lost) = events.len().checked_sub(limits.inline_events) {
            events.truncate(limits.inline_events);
            counters.inline_events_dropped += lost as u64;
        }
    }
}

fn session_in(sessions: &mut HashMap<u64, Box<Session>>, number: u64) -> Result<&mut Session, InlineError> {
    let session = sessions.get_mut(&number).ok_or(InlineError::NoSession(number))?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interest::InterestSpec;
    use crate::record::event::{Outcome, Reply};
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};
    use Speaker::{Client, Server};

    fn inline(limits: Limits) -> Inline {
        let spec = InterestSpec {
            fields: vec!["X-Forwarded-To".to_owned()],
            ..InterestSpec::default()
        };
        Inline::new(Arc::new(Interest::new(&spec).unwrap()), limits)
    }

    fn end(last: u8, port: u16) -> Endpoint {
        Endpoint {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
            port,
        }
    }

    fn open(inline: &mut Inline) -> Result<u64, InlineError> {
        inline.open(end(1, 40_000), end(2, 25), Timestamp(0))
    }

    const TO_CONTENT: &[(Speaker, &[u8])] = &[
        (Server, b"220 mx ESMTP\r\n"),
        (Client, b"EHLO a.example\r\n"),
        (Server, b"250 mx\r\n"),
        (Client, b"MAIL FROM:<a@b>\r\n"),
        (Server, b"250 ok\r\n"),
        (Client, b"RCPT TO:<c@d>\r\n"),
        (Server, b"250 ok\r\n"),
        (Client, b"DATA\r\n"),
        (Server, b"354 go\r\n"),
    ];
    const CONTENT: &[u8] = b"X-Forwarded-To: e@f\r\nSubject: x\r\n\r\nbody\r\n..dots\r\n";
    const TO_END: &[(Speaker, &[u8])] = &[(Client, b".\r\n"), (Server, b"250 2.0.0 queued\r\n")];

    fn feed(inline: &mut Inline, session: u64, turns: &[(Speaker, &[u8])]) {
        for (by, octets) in turns {
            inline.feed(session, octets, *by, Timestamp(5)).unwrap();
        }
    }

    fn transactions(events: Vec<Event>) -> Vec<Transaction> {
        let transaction = |event| match event {
            Event::Transaction(transaction) => Some(*transaction),
            Event::Session(_) => None,
        };
        events.into_iter().filter_map(transaction).collect()
    }

    #[test]
    fn what_is_provisional_is_told_later_but_for_what_the_reply_decides() {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        assert_eq!(inline.provisional(session), Ok(None));
        feed(&mut inline, session, TO_CONTENT);
        feed(&mut inline, session, &[(Client, CONTENT)]);
        let provisional = inline.provisional(session).unwrap().unwrap();
        assert_eq!(provisional.outcome, Outcome::Delivered);
        assert!(provisional.touched);
        feed(&mut inline, session, TO_END);
        assert_eq!(inline.provisional(session), Ok(None));
        let told = transactions(inline.take());
        let decided = Transaction {
            reply: told[0].reply.clone(),
            ..provisional
        };
        assert_eq!(told, [decided]);
    }

    #[test]
    fn the_index_of_a_provisional_mail_counts_those_that_wait_for_their_reply() {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        feed(&mut inline, session, TO_CONTENT);
        // The second mail's commands do not wait for the first mail's reply.
        feed(
            &mut inline,
            session,
            &[(Client, b"Subject: 1\r\n\r\n.\r\nMAIL FROM:<g@h>\r\nBDAT 4\r\nA: b")],
        );
        let provisional = inline.provisional(session).unwrap().unwrap();
        assert_eq!(provisional.reverse_path.as_deref(), Some("g@h"));
        assert_eq!(provisional.session.transaction_index, 1);
        assert!(inline.take().is_empty());
    }

    #[test]
    fn octets_that_may_be_smuggled_commands_belong_to_a_provisional_mail() {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        feed(&mut inline, session, TO_CONTENT);
        feed(
            &mut inline,
            session,
            &[(Client, b"Subject: x\r\n\r\n1\n.\nMAIL FROM:<g@h>\r\n")],
        );
        let content = |inline: &Inline| inline.provisional(session).unwrap().unwrap().message.unwrap();
        assert_eq!(content(&inline).size_octets, 35);
        feed(&mut inline, session, &[(Client, b"..2\r\n")]);
        assert_eq!(content(&inline).size_octets, 39);
        feed(&mut inline, session, TO_END);
        inline.close(session, Timestamp(9)).unwrap();
        let told = transactions(inline.take());
        assert_eq!(told[0].message.as_ref().unwrap().size_octets, 39);
    }

    #[test]
    fn numbers_are_used_once_and_are_of_one_kind() {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        let mail = inline.begin(mail::tests::envelope()).unwrap();
        assert_ne!(session, mail);
        assert_eq!(inline.content(session, b""), Err(InlineError::NoMail(session)));
        assert_eq!(
            inline.feed(mail, b"", Client, Timestamp(0)),
            Err(InlineError::NoSession(mail))
        );
        inline.close(session, Timestamp(0)).unwrap();
        assert_eq!(
            inline.close(session, Timestamp(0)),
            Err(InlineError::NoSession(session))
        );
        assert!(open(&mut inline).unwrap() > mail);
    }

    #[test]
    fn what_ends_makes_room() {
        let limits = Limits {
            inline_sessions: 2,
            ..Limits::default()
        };
        let mut inline = inline(limits);
        let session = open(&mut inline).unwrap();
        inline.begin(mail::tests::envelope()).unwrap();
        assert_eq!(open(&mut inline), Err(InlineError::Full));
        assert_eq!(inline.begin(mail::tests::envelope()), Err(InlineError::Full));
        assert_eq!(inline.counters().inline_refused, 2);
        inline.close(session, Timestamp(0)).unwrap();
        assert!(open(&mut inline).is_ok());
    }

    #[test]
    fn the_newest_of_too_many_events_are_dropped_and_counted() {
        let limits = Limits {
            inline_events: 1,
            ..Limits::default()
        };
        let mut inline = inline(limits);
        let session = open(&mut inline).unwrap();
        for _ in 0..3 {
            feed(&mut inline, session, TO_CONTENT);
            feed(&mut inline, session, TO_END);
        }
        assert_eq!((inline.waiting(), inline.counters().inline_events_dropped), (1, 2));
        assert_eq!(transactions(inline.take())[0].session.transaction_index, 0);
    }

    #[test]
    fn inside_tls_both_sides_begin_anew() {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        feed(&mut inline, session, &TO_CONTENT[..3]);
        feed(
            &mut inline,
            session,
            &[(Client, b"STARTTLS\r\nRCPT TO:<evil@d>\r\n"), (Server, b"220 go\r\n")],
        );
        inline.secured(session, Timestamp(6)).unwrap();
        feed(
            &mut inline,
            session,
            &[(Client, b"EHLO inside\r\n"), (Server, b"250-x\r\n250 PIPELINING\r\n")],
        );
        feed(&mut inline, session, &TO_CONTENT[3..]);
        feed(&mut inline, session, &[(Client, CONTENT)]);
        feed(&mut inline, session, TO_END);
        inline.close(session, Timestamp(9)).unwrap();
        let events = inline.take();
        assert_eq!(events.len(), 1);
        let told = &transactions(events)[0];
        assert!(told.session.tls);
        assert_eq!(told.session.helo.as_deref(), Some("inside"));
        assert_eq!(told.forward_paths.len(), 1);
        assert_eq!(told.outcome, Outcome::Delivered);
        assert_eq!(inline.counters().sessions_tls, 1);
    }

    #[test]
    fn tls_may_begin_before_the_session_and_behind_a_proxy_header() {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        feed(
            &mut inline,
            session,
            &[(Client, b"PROXY TCP4 198.51.100.7 192.0.2.2 1 465\r\n")],
        );
        inline.secured(session, Timestamp(0)).unwrap();
        feed(&mut inline, session, TO_CONTENT);
        feed(&mut inline, session, &[(Client, CONTENT)]);
        feed(&mut inline, session, TO_END);
        let told = &transactions(inline.take())[0];
        assert!(told.session.tls);
        assert_eq!(told.session.client_ip, Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7))));
        assert!(told.anomalies.is_empty());
        assert_eq!(inline.counters().sessions_tls, 1);
    }

    #[test]
    fn a_session_in_tls_that_nobody_opened_is_told_as_one() {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        feed(&mut inline, session, &TO_CONTENT[..3]);
        feed(
            &mut inline,
            session,
            &[
                (Client, b"STARTTLS\r\n"),
                (Server, b"220 go\r\n"),
                (Client, b"\x16\x03\x01"),
            ],
        );
        inline.close(session, Timestamp(9)).unwrap();
        assert!(matches!(inline.take().as_slice(), [Event::Session(_)]));
    }

    /// By feeding the dialogue, or by envelope and content.
    fn both_ways(content: &[u8], cut: usize, asks: bool) -> (Transaction, Transaction) {
        let mut inline = inline(Limits::default());
        let session = open(&mut inline).unwrap();
        feed(&mut inline, session, TO_CONTENT);
        let mail = inline.begin(mail::tests::envelope()).unwrap();
        let mut stuffed = Vec::new();
        for line in content.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        for piece in stuffed.chunks(cut) {
            feed(&mut inline, session, &[(Client, piece)]);
            if asks {
                assert!(inline.provisional(session).unwrap().is_some());
            }
        }
        inline.content(mail, b"").unwrap();
        for piece in content.chunks(cut) {
            inline.content(mail, piece).unwrap();
            if asks {
                inline.drafted(mail).unwrap();
            }
        }
        feed(&mut inline, session, TO_END);
        let reply = Reply {
            code: 250,
            enhanced: Some("2.0.0".to_owned()),
            text: "queued".to_owned(),
        };
        let end = MailEnd {
            at: Timestamp(5),
            outcome: Outcome::Delivered,
            reply: Some(reply),
            truncated: false,
        };
        inline.end(mail, end).unwrap();
        let told = transactions(inline.take());
        (told[0].clone(), told[1].clone())
    }

    proptest! {
        #[test]
        fn both_ways_tell_the_same_however_cut_and_asked(lines in prop::collection::vec("[.a:A\\- ]{0,12}", 0..12), cut in 1_usize..20, asks: bool) {
            let content: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let (fed, begun) = both_ways(content.as_bytes(), cut, asks);
            prop_assert_eq!(&fed, &begun);
            prop_assert_eq!(both_ways(content.as_bytes(), 1_000, false).0, fed);
        }

        #[test]
        fn any_turns_are_survived(turns in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20), secured in 0_usize..20) {
            let mut inline = inline(Limits { line_octets: 32, held_octets: 64, ..Limits::default() });
            let session = open(&mut inline).unwrap();
            feed(&mut inline, session, TO_CONTENT);
            for (number, (by_client, octets)) in turns.iter().enumerate() {
                if number == secured {
                    inline.secured(session, Timestamp(0)).unwrap();
                }
                feed(&mut inline, session, &[(if *by_client { Client } else { Server }, octets)]);
                inline.provisional(session).unwrap();
            }
            inline.close(session, Timestamp(0)).unwrap();
            prop_assert!(!inline.take().is_empty());
            prop_assert_eq!(inline.context.held_octets(), 0);
        }
    }
}
