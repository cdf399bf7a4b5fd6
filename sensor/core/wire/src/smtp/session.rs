//! One SMTP session as both sides spoke it: octets of either side in, records out.
//!
//! The machine has five parts, each in its file: how client octets are read ([`super::reading`]), what the client commands
//! ([`super::client`]) and transfers ([`super::transfer`]), what the server answers ([`super::server`]), and what is written down ([`super::emit`]). This one holds what they share, and what a loss does.
//!
//! **Client.** How the next client octets are to be read is a [`Mode`]. Some modes can't be left by the client alone: what
//! follows DATA is content or a command, as the reply says. In [`Mode::Await`] client octets are held, in a bounded buffer,
//! until that reply came or is known to be lost. Since the TCP layer delivers cause before effect, only a client that does not
//! wait (against RFC 2920 3.1) makes us hold anything.
//!
//! **Server.** Each reply is paired with its command by the [`super::queue`] and written into the draft it belongs to.
//!
//! **Loss.** Lost commands or a start in mid-session leave [`Mode::Resync`]: the next line that can only be a command is one.
//! Lost content is counted, and the end of data may be in it: then the server's reply tells that the content is over. What
//! can't be known is left open and the record says so.

use std::net::IpAddr;

use super::auth::SaslExchange;
use super::context::Context;
use super::data::DataReader;
use super::draft::{Draft, Seal};
use super::drafts::Drafts;
use super::held::Held;
use super::line::LineReader;
use super::origin::Origin;
use super::path::Path;
use super::queue::{ReplyQueue, Waiting};
use super::reply::ReplyReader;
use super::state::{Answered, State};
use super::tls::HelloReader;
use crate::anomaly::{Anomaly, AnomalySet};
use crate::frame::Timestamp;
use crate::record::event::{FlowId, Protocol, Reply};

/// How the client's next octets are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The very first octets: perhaps a PROXY header.
    Opening,
    /// Command lines.
    Commands,
    /// Somewhere in the stream: looking for a line that can only be a command.
    Resync {
        /// The next octet may stand inside a line.
        inside_line: bool,
    },
    /// Content behind DATA.
    Content,
    /// Payload of a BDAT chunk.
    Chunk { left: u64, last: bool },
    /// Payload of XEXCH50.
    Payload { left: u64 },
    /// One line of a SASL exchange: never looked at as a command.
    Sasl,
    /// Client octets are held until the reply to this command came.
    Await(Blocker),
    /// That reply was lost: the next octets tell by their look.
    Guess(Blocker),
    /// Behind a false end of data and a command: held until the server's replies tell what it is.
    Suspect,
    /// Encrypted.
    Tls,
}

/// A command whose reply decides how the client's next octets are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocker {
    Data,
    Auth,
    Tls(&'static str),
    Payload(u64),
    /// Not a command: octets of the content were lost, and what comes next is content or, if its end was lost, a command.
    LostContent,
    /// Not a command either: a false end of data, and what comes next is content or a smuggled command.
    Lookalike,
}

/// What a reply will answer.
#[derive(Debug)]
pub(super) enum Step {
    Greeting,
    Hello(super::command::Verb),
    Mail,
    /// MAIL inside an open transaction: a new one only if the server accepts it.
    MailAgain(Box<Path>),
    Rcpt(Option<usize>),
    Data,
    Chunk,
    Content,
    Rset,
    Quit,
    Auth,
    Tls(&'static str),
    Xclient(Box<Origin>),
    Xforward(Box<Origin>),
    Payload,
    Other,
}

/// A command that waits for its reply, with the draft it belongs to.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) step: Step,
    pub(super) draft: Option<u32>,
}

impl Waiting for Pending {
    fn expects_354(&self) -> bool {
        matches!(self.step, Step::Data | Step::Payload)
    }
    fn expects_221(&self) -> bool {
        matches!(self.step, Step::Quit)
    }
    fn expects_334(&self) -> bool {
        matches!(self.step, Step::Auth)
    }
    fn held_octets(&self) -> usize {
        match &self.step {
            Step::MailAgain(path) => size_of::<Path>() + path.held_octets(),
            Step::Xclient(origin) | Step::Xforward(origin) => size_of::<Origin>() + origin.held_octets(),
            _ => 0,
        }
    }
}

impl Step {
    /// What the state table calls it.
    pub(super) fn answered(&self) -> Option<Answered> {
        use super::command::Verb;
        Some(match self {
            Self::Greeting | Self::Auth | Self::Payload | Self::Other | Self::Xforward(_) => return None,
            Self::Hello(verb) => Answered::Command(*verb),
            Self::Mail | Self::MailAgain(_) => Answered::Command(Verb::Mail),
            Self::Rcpt(_) => Answered::Command(Verb::Rcpt),
            Self::Data => Answered::Command(Verb::Data),
            Self::Chunk => Answered::Command(Verb::Bdat),
            Self::Content => Answered::Content,
            Self::Rset => Answered::Command(Verb::Rset),
            Self::Quit => Answered::Command(Verb::Quit),
            Self::Tls(_) => Answered::Command(Verb::Starttls),
            Self::Xclient(_) => Answered::Command(Verb::Xclient),
        })
    }
}

/// What a front that stands before the server told of the real client; few sessions have one.
#[derive(Debug, Default)]
pub(super) struct Front {
    pub(super) proxied_ip: Option<IpAddr>,
    /// By XCLIENT: for the whole session.
    pub(super) origin: Origin,
    /// By XFORWARD: for the next mail.
    pub(super) forwarded: Origin,
}

/// The encrypted part of a session.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) start: &'static str,
    pub(super) hello: HelloReader,
    pub(super) sni: Option<String>,
}

/// Where in a session the tap came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// At its first octet.
    Start,
    /// Somewhere inside.
    Midstream,
    /// At its first octet, and that is TLS (RFC 8314 3.3).
    ImplicitTls,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The connection was closed or reset.
    Closed,
    /// The capture ended or the flow was given up; the session may go on unseen.
    Unseen,
}

/// One session. An idle one costs well under 1 KiB.
pub struct Session {
    pub(super) flow: FlowId,
    pub(super) last_at: Timestamp,
    pub(super) mode: Mode,
    pub(super) state: State,
    pub(super) client_line: LineReader,
    pub(super) server_line: LineReader,
    pub(super) reply_lines: ReplyReader,
    pub(super) queue: ReplyQueue<Pending>,
    pub(super) held: Held,
    pub(super) data: DataReader,
    pub(super) sasl: Option<SaslExchange>,
    pub(super) drafts: Drafts,
    pub(super) has_open_draft: bool,
    pub(super) next_draft: u32,
    pub(super) next_index: u32,
    pub(super) protocol: Option<Protocol>,
    pub(super) helo: Option<String>,
    pub(super) auth_user: Option<String>,
    pub(super) front: Option<Box<Front>>,
    pub(super) pipelining: bool,
    pub(super) client_seen: bool,
    pub(super) server_seen: bool,
    pub(super) midstream: bool,
    /// Commands were read in mid-stream and the server has not spoken since: they may be content that looks like it.
    pub(super) unconfirmed: bool,
    /// Content octets were lost, so the end of data may be among them.
    pub(super) content_gap: bool,
    /// The next octets are the first behind such a loss.
    pub(super) content_resumes: bool,
    /// Content began without a sign of DATA: it counts only if its end is seen.
    pub(super) provisional: bool,
    /// Content is being read that was held until this was known: nothing in it is taken for a command.
    pub(super) surely_content: bool,
    /// Replies were lost while content was transferred.
    pub(super) content_reply_gap: bool,
    pub(super) suspect_replies: Vec<Reply>,
    /// The 421 by which the server announced that it closes, unless it went on all the same.
    pub(super) closing: Option<Box<Reply>>,
    pub(super) server_inside_line: bool,
    pub(super) client_octets: u64,
    pub(super) server_octets: u64,
    pub(super) tls: Option<Box<Tls>>,
    /// What is fed stood inside TLS.
    pub(super) inside_tls: bool,
    pub(super) loose_anomalies: AnomalySet,
    pub(super) loose_missing: u64,
    /// What the context knows this session to hold.
    pub(super) accounted: usize,
}

impl Session {
    /// A session on *flow* that the tap met at its *beginning*.
    #[must_use]
    pub fn new(flow: FlowId, beginning: Beginning, context: &mut Context) -> Self {
        context.counters.sessions += 1;
        let mut session = Self {
            flow,
            last_at: flow.started_at,
            mode: Mode::Opening,
            state: State::Connected,
            client_line: LineReader::default(),
            server_line: LineReader::default(),
            reply_lines: ReplyReader::default(),
            queue: ReplyQueue::default(),
            held: Held::default(),
            data: DataReader::default(),
            sasl: None,
            drafts: Drafts::default(),
            has_open_draft: false,
            next_draft: 0,
            next_index: 0,
            protocol: None,
            helo: None,
            auth_user: None,
            front: None,
            pipelining: false,
            client_seen: false,
            server_seen: false,
            midstream: false,
            unconfirmed: false,
            content_gap: false,
            content_resumes: false,
            provisional: false,
            surely_content: false,
            content_reply_gap: false,
            suspect_replies: Vec::new(),
            closing: None,
            server_inside_line: false,
            client_octets: 0,
            server_octets: 0,
            tls: None,
            inside_tls: false,
            loose_anomalies: AnomalySet::default(),
            loose_missing: 0,
            accounted: 0,
        };
        match beginning {
            Beginning::Start => session.queue.push(Pending {
                step: Step::Greeting,
                draft: None,
            }),
            Beginning::Midstream => {
                session.midstream = true;
                session.lose_place(true);
            }
            Beginning::ImplicitTls => session.turn_to_tls("implicit", context),
        }
        session
    }

    /// Octets of the client, in order, each once.
    pub fn client(&mut self, octets: &[u8], at: Timestamp, context: &mut Context) {
        self.last_at = self.last_at.max(at);
        self.client_seen = true;
        self.client_octets += octets.len() as u64;
        if matches!(self.mode, Mode::Await(_)) && self.queue.is_ambiguous() {
            self.settle_as_client_speaks(true, at, context);
        }
        if !self.suspect_replies.is_empty() {
            // It had its reply and goes on.
            self.clear_suspicion(at, context);
        }
        self.read_client(octets, at, context);
        self.account(at, context);
    }

    /// Octets of the server, in order, each once.
    pub fn server(&mut self, octets: &[u8], at: Timestamp, context: &mut Context) {
        self.last_at = self.last_at.max(at);
        self.server_seen = true;
        self.server_octets += octets.len() as u64;
        self.unconfirmed = false;
        if self.mode != Mode::Tls {
            self.read_server(octets, at, context);
        }
        self.account(at, context);
    }

    /// *octets* of the client were never seen.
    pub fn client_gap(&mut self, octets: u64, at: Timestamp, context: &mut Context) {
        self.last_at = self.last_at.max(at);
        self.miss(octets);
        if matches!(self.mode, Mode::Await(_)) {
            // The client went on, so the reply was there; if it is not here it is lost.
            self.queue.lose_replies(1);
            self.settle_as_client_speaks(true, at, context);
        }
        self.clear_suspicion(at, context);
        self.keep_to_content(at, context);
        match self.mode {
            Mode::Tls => {
                if let Some(tls) = &mut self.tls {
                    tls.hello.gap();
                }
            }
            Mode::Content => self.content_lost(octets),
            Mode::Guess(Blocker::Data) => {
                self.open_content(false, at, context);
                self.content_lost(octets);
            }
            Mode::Chunk { left, last } => self.chunk_lost(left, last, octets, at, context),
            Mode::Payload { left } if octets <= left => self.payload_taken(left - octets),
            _ => self.lose_place(true),
        }
    }

    /// *octets* of the server were never seen.
    pub fn server_gap(&mut self, octets: u64, at: Timestamp, _context: &mut Context) {
        self.last_at = self.last_at.max(at);
        self.server_line.clear();
        self.reply_lines.clear();
        self.server_inside_line = true;
        self.unconfirmed = false;
        if self.mode == Mode::Tls {
            return;
        }
        self.miss(octets);
        self.content_reply_gap |= matches!(self.mode, Mode::Content | Mode::Chunk { .. });
        self.queue.lose_replies(octets);
    }

    /// The session is over, *last_seen* the time of its last segment: everything unsettled is settled and recorded. Called
    /// once, last.
    pub fn close(&mut self, ending: Ending, last_seen: Timestamp, context: &mut Context) {
        self.last_at = self.last_at.max(last_seen);
        let at = self.last_at;
        self.keep_to_content(at, context);
        self.clear_suspicion(at, context);
        let settled = self.queue.finish();
        for (pending, reply) in &settled {
            if reply.is_none() {
                // The flow ended before the transaction did.
                if let Some(draft) = self.draft(pending.draft) {
                    draft.completeness.truncated = true;
                }
            }
        }
        self.apply_all(settled, at, context);
        let seal = match ending {
            Ending::Closed if !self.content_gap => Seal::ConnectionLost,
            Ending::Closed | Ending::Unseen => Seal::Unseen,
        };
        self.abandon_content(seal, context);
        let closing = self.closing.take().map(|reply| *reply);
        for draft in self.drafts.iter_mut() {
            draft.awaited = 0;
            if draft.sealed != Some(Seal::Complete) && draft.refused.is_none() {
                draft.refused.clone_from(&closing);
            }
            draft.seal(seal);
        }
        self.has_open_draft = false;
        self.emit_settled(context);
        self.emit_tls(context);
        context.holds(&mut self.accounted, 0);
    }

    /// Something odd below SMTP, or found by it: it goes to the transaction at hand, or else to the next one.
    pub fn note(&mut self, anomaly: Anomaly, context: &mut Context) {
        context.count(anomaly);
        self.told(anomaly);
    }

    /// As [`Session::note`], for what is counted elsewhere.
    pub fn told(&mut self, anomaly: Anomaly) {
        match self.drafts.back_mut() {
            // The one being built, else the one that waits for its reply.
            Some(draft) => draft.anomalies.insert(anomaly),
            None => self.loose_anomalies.insert(anomaly),
        }
    }

    /// True once the session has turned to TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The TLS handshake is done, and whoever holds its keys feeds what is inside from now on: the session isn't one that
    /// nobody can read. Behind STARTTLS both sides begin anew (RFC 3207 4.2); else TLS began before the session did.
    pub fn secured(&mut self, at: Timestamp, context: &mut Context) {
        self.last_at = self.last_at.max(at);
        let turned = self.tls.take().is_some();
        if turned || matches!(self.mode, Mode::Await(Blocker::Tls(_)) | Mode::Guess(Blocker::Tls(_))) {
            self.begin_anew();
        }
        if !(turned || self.inside_tls) {
            context.counters.sessions_tls += 1;
        }
        self.inside_tls = true;
    }

    /// What the client said of itself is forgotten, and nothing is awaited.
    fn begin_anew(&mut self) {
        self.mode = Mode::Commands;
        self.state = State::Connected;
        self.queue = ReplyQueue::default();
        self.held.clear();
        self.client_line.clear();
        self.server_line.clear();
        self.reply_lines.clear();
        (self.protocol, self.helo, self.auth_user) = (None, None, None);
        self.pipelining = false;
    }

    pub(super) fn turn_to_tls(&mut self, start: &'static str, context: &mut Context) {
        context.counters.sessions_tls += 1;
        self.seal_open(Seal::Abandoned);
        self.mode = Mode::Tls;
        self.tls = Some(Box::new(Tls {
            start,
            hello: HelloReader::default(),
            sni: None,
        }));
    }

    /// Commands may have been lost, or the session was joined inside.
    pub(super) fn lose_place(&mut self, inside_line: bool) {
        self.client_line.clear();
        self.held.clear();
        self.sasl = None;
        self.queue.lose_commands();
        self.state = State::Unknown;
        self.unconfirmed = true;
        // Without the client's greeting what is known of the session is not whole.
        self.midstream |= self.protocol.is_none();
        self.mode = Mode::Resync { inside_line };
        if let Some(draft) = self.open_draft() {
            draft.completeness.midstream = true;
        }
    }

    pub(super) fn front_mut(&mut self) -> &mut Front {
        self.front.get_or_insert_default()
    }

    /// The draft that the client is adding to.
    pub(super) fn open_draft(&mut self) -> Option<&mut Draft> {
        if self.has_open_draft {
            self.drafts.back_mut()
        } else {
            None
        }
    }

    pub(super) fn draft(&mut self, number: Option<u32>) -> Option<&mut Draft> {
        let number = number?;
        self.drafts.iter_mut().rev().find(|draft| draft.number == number)
    }

    pub(super) fn seal_open(&mut self, seal: Seal) {
        if self.has_open_draft {
            let facts = self.facts(0);
            if let Some(draft) = self.open_draft() {
                draft.session = Some(facts);
                draft.seal(seal);
            }
        }
        self.has_open_draft = false;
    }

    /// Counts lost octets on the transaction at hand: the one being built, else the one that waits, else the next.
    fn miss(&mut self, octets: u64) {
        if let Some(draft) = self.drafts.back_mut() {
            draft.completeness.missing_octets += octets;
        } else {
            self.loose_missing += octets;
        }
    }

    fn content_lost(&mut self, octets: u64) {
        self.content_gap = true;
        self.content_resumes = true;
        self.data.gap();
        if let Some(content) = self.open_draft().and_then(|draft| draft.content.as_mut()) {
            content.gap(octets);
        }
    }

    fn chunk_lost(&mut self, left: u64, last: bool, octets: u64, at: Timestamp, context: &mut Context) {
        let inside = octets.min(left);
        if let Some(content) = self.open_draft().and_then(|draft| draft.content.as_mut()) {
            content.gap(inside);
        }
        self.chunk_taken(left - inside, last, at, context);
        if octets > left {
            self.lose_place(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_leaves_room_for_its_flow_in_one_kib() {
        // The flow table spends about 300 octets on a flow.
        assert!(size_of::<Session>() <= 700, "{} octets", size_of::<Session>());
    }
}
