//! Mail that passes through somebody's hands: what a relay, a milter or a receiver of copies sees, as captures tell it.
//!
//! A relay feeds the octets of both sides to a *session*, which is the machine that captures drive ([`crate::smtp::session`]). A
//! milter and a receiver of copies know the envelope by other means: they begin a *mail* with it and hand in its content
//! ([`mail`]). Both have numbers from one sequence, each used once. What became known waits, bounded, until it is taken.
//!
//! The same mail gives the same record by either way and by a capture, but for what a way can't know. The caller's clock is
//! the only one; time that steps back is as harmless as on the wire.

pub mod mail;

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
