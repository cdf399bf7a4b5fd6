//! What the client sends: commands, content, and what stands in place of them.

use super::auth::SaslExchange;
use super::command::{bdat_size, is_unmistakable, payload_size, Command, Verb};
use super::context::Context;
use super::draft::{Draft, Seal};
use super::line::{Line, LineEnd};
use super::origin::Origin;
use super::path::Path;
use super::session::{Blocker, Mode, Pending, Session, Step};
use crate::anomaly::Anomaly;
use crate::frame::Timestamp;
use crate::record::event::{ForwardPath, Protocol};

impl Session {
    pub(super) fn read_command<'a>(&mut self, octets: &'a [u8], at: Timestamp, context: &mut Context) -> &'a [u8] {
        let mut reader = std::mem::take(&mut self.client_line);
        let taken = match reader.next(octets, &context.limits) {
            Some((line, rest)) => {
                let used = octets.len() - rest.len();
                self.command(&line, at, context);
                used
            }
            None => octets.len(),
        };
        self.client_line = reader;
        &octets[taken..]
    }

    fn command(&mut self, line: &Line<'_>, at: Timestamp, context: &mut Context) {
        self.settle_as_client_speaks(false, at, context);
        self.note_line(line, context);
        let command = Command::parse(line.octets);
        if self.unconfirmed && self.contradicts(&command) {
            return self.take_for_content(line, at, context);
        }
        self.note_pipelining(command.verb, context);
        match command.verb {
            Verb::Mail => self.mail(command.arguments, at, context),
            Verb::Rcpt => self.rcpt(command.arguments, at, context),
            Verb::Data => self.block(Step::Data, Blocker::Data, at, context),
            Verb::Bdat => self.bdat(command.arguments, at, context),
            Verb::Ehlo => self.hello(Protocol::Esmtp, &command, context),
            Verb::Helo => self.hello(Protocol::Smtp, &command, context),
            Verb::Lhlo => self.hello(Protocol::Lmtp, &command, context),
            Verb::Rset => self.end_transaction(Step::Rset, at, context),
            Verb::Quit => self.end_transaction(Step::Quit, at, context),
            Verb::Auth => {
                self.sasl = Some(SaslExchange::start(command.arguments));
                self.block(Step::Auth, Blocker::Auth, at, context);
            }
            Verb::Starttls => self.block(Step::Tls("starttls"), Blocker::Tls("starttls"), at, context),
            Verb::XAnonymousTls => self.block(Step::Tls("x-anonymoustls"), Blocker::Tls("x-anonymoustls"), at, context),
            Verb::Xclient => self.origin(command.arguments, Step::Xclient, context),
            Verb::Xforward => self.origin(command.arguments, Step::Xforward, context),
            Verb::Xexch50 => match payload_size(command.arguments) {
                Some(size) => self.block(Step::Payload, Blocker::Payload(size), at, context),
                None => self.odd_command(Anomaly::SmtpMalformedCommand, context),
            },
            Verb::Neutral => self.push(Step::Other, false, context),
            Verb::Unknown => self.odd_command(Anomaly::SmtpUnknownCommand, context),
        }
    }

    /// True if no client that waits for the server could send *command* now: then what looked like commands is content.
    fn contradicts(&self, command: &Command<'_>) -> bool {
        match command.verb {
            Verb::Unknown => true,
            Verb::Quit | Verb::Rset | Verb::Data => !command.arguments.is_empty(),
            Verb::Mail => self.has_open_draft,
            _ => false,
        }
    }

    /// Gives up what was read as commands since the place was lost, and reads on as content whose beginning is missing.
    fn take_for_content(&mut self, line: &Line<'_>, at: Timestamp, context: &mut Context) {
        if let Some(draft) = self.drafts.pop_back().filter(|_| self.has_open_draft) {
            self.loose_missing += draft.completeness.missing_octets;
        }
        self.has_open_draft = false;
        self.queue = super::queue::ReplyQueue::default();
        self.queue.lose_commands();
        self.begin_unannounced(line, at, context);
    }

    /// *line* is content whose DATA was lost, if it turns out to end like content.
    fn begin_unannounced(&mut self, line: &Line<'_>, at: Timestamp, context: &mut Context) {
        self.open_unseen(at, context);
        self.open_content(true, at, context);
        let octets = [line.octets, b"\r\n"].concat();
        self.read_content(&octets, at, context);
    }

    fn note_line(&mut self, line: &Line<'_>, context: &mut Context) {
        if line.end == LineEnd::Lf {
            self.note(Anomaly::SmtpBareLfInCommand, context);
        }
        if line.dropped > 0 {
            context.counters.line_octets_dropped += line.dropped;
            self.note(Anomaly::SmtpLineTooLong, context);
        }
        if memchr::memchr(0, line.octets).is_some() {
            self.note(Anomaly::SmtpNulInContent, context);
        }
    }

    fn note_pipelining(&mut self, verb: Verb, context: &mut Context) {
        if self.queue.is_empty() || self.queue.is_ambiguous() {
            return;
        }
        if self.protocol.is_none() && !self.server_seen {
            // Spoke before the server's greeting (RFC 5321 3.1): spam engines do.
            self.note(Anomaly::SmtpPipelinedBeforeReply, context);
        } else if !self.pipelining && verb != Verb::Quit {
            self.note(Anomaly::SmtpPipelinedUnannounced, context);
        }
    }

    fn odd_command(&mut self, anomaly: Anomaly, context: &mut Context) {
        self.note(anomaly, context);
        self.push(Step::Other, false, context);
    }

    fn hello(&mut self, protocol: Protocol, command: &Command<'_>, context: &mut Context) {
        self.seal_open(Seal::Abandoned);
        self.protocol = Some(protocol);
        self.helo = name_in(command.arguments);
        self.midstream = false;
        self.pipelining = false;
        self.push(Step::Hello(command.verb), false, context);
    }

    fn end_transaction(&mut self, step: Step, at: Timestamp, context: &mut Context) {
        if let Some(draft) = self.open_draft() {
            draft.last_at = at;
        }
        self.seal_open(Seal::Abandoned);
        self.push(step, false, context);
        self.emit_settled(context);
    }

    fn mail(&mut self, arguments: &[u8], at: Timestamp, context: &mut Context) {
        let Some(path) = Path::parse(arguments, b"FROM:") else {
            return self.odd_command(Anomaly::SmtpMalformedCommand, context);
        };
        // After a loss the transaction may have ended unseen (RSET, or its content): a client that is in order begins anew.
        if !self.may_have_lost_commands()
            && self
                .open_draft()
                .is_some_and(|draft| draft.sender_accepted && draft.refused.is_none())
        {
            return self.push(Step::MailAgain(Box::new(path)), false, context);
        }
        self.seal_open(Seal::Abandoned);
        self.emit_settled(context);
        self.loose_missing = 0;
        self.open_transaction(at, context);
        self.set_sender(path, context);
        self.push(Step::Mail, true, context);
    }

    pub(super) fn set_sender(&mut self, path: Path, context: &mut Context) {
        if !path.well_formed {
            self.note(Anomaly::SmtpMalformedCommand, context);
        }
        let touched = context.interest.marks_reverse_path(path.address.as_bytes());
        if let Some(draft) = self.open_draft() {
            draft.touched |= touched;
            draft.set_sender(path);
        }
    }

    /// Opens a draft; what was lost or odd before it and belongs to no other is told with it.
    pub(super) fn open_transaction(&mut self, at: Timestamp, _context: &mut Context) {
        let mut draft = Draft::open(self.next_draft, at);
        draft.anomalies = std::mem::take(&mut self.loose_anomalies);
        draft.completeness.missing_octets = std::mem::take(&mut self.loose_missing);
        draft.completeness.midstream = self.midstream;
        self.next_draft = self.next_draft.wrapping_add(1);
        self.drafts.push_back(Box::new(draft));
        self.has_open_draft = true;
    }

    /// Opens a draft whose MAIL was lost.
    pub(super) fn open_unseen(&mut self, at: Timestamp, context: &mut Context) {
        self.open_transaction(at, context);
        self.note(Anomaly::SmtpEnvelopeUnseen, context);
        if let Some(draft) = self.open_draft() {
            draft.completeness.midstream = true;
        }
    }

    /// True if commands are known to be missing, so that a transaction may have begun unseen.
    pub(super) const fn may_have_lost_commands(&self) -> bool {
        self.midstream || matches!(self.state, super::state::State::Unknown)
    }

    fn rcpt(&mut self, arguments: &[u8], at: Timestamp, context: &mut Context) {
        let Some(path) = Path::parse(arguments, b"TO:") else {
            return self.odd_command(Anomaly::SmtpMalformedCommand, context);
        };
        if !self.has_open_draft {
            if !self.may_have_lost_commands() {
                return self.push(Step::Other, false, context);
            }
            self.open_unseen(at, context);
        }
        if !path.well_formed {
            self.note(Anomaly::SmtpMalformedCommand, context);
        }
        let orcpt = path.parameter("ORCPT").map(str::to_owned);
        let limit = context.limits.recipients;
        let mut index = None;
        if let Some(draft) = self.open_draft() {
            draft.last_at = at;
            // Postfix sends ORCPT with all mail; only one that differs tells of a redirection.
            draft.touched |= orcpt.as_deref().is_some_and(|orcpt| differs(orcpt, &path.address));
            if draft.forward_paths.len() < limit {
                index = Some(draft.forward_paths.len());
                draft.add_recipient(ForwardPath {
                    address: path.address,
                    reply_code: None,
                    accepted: false,
                    orcpt,
                });
            }
        }
        if index.is_none() {
            context.counters.recipients_dropped += 1;
            self.note(Anomaly::SmtpTooManyRecipients, context);
        }
        self.push(Step::Rcpt(index), true, context);
    }

    fn bdat(&mut self, arguments: &[u8], at: Timestamp, context: &mut Context) {
        let Some((left, last)) = bdat_size(arguments) else {
            return self.odd_command(Anomaly::SmtpBdatMalformed, context);
        };
        if !self.has_open_draft && self.may_have_lost_commands() {
            self.open_unseen(at, context);
        }
        if let Some(draft) = self.open_draft() {
            draft.last_at = at;
            draft.content.get_or_insert_with(|| context.reader());
        }
        let step = if last { Step::Content } else { Step::Chunk };
        self.push(step, true, context);
        self.mode = Mode::Chunk { left, last };
        if left == 0 {
            self.chunk_taken(0, last, at, context);
        }
    }

    fn origin(&mut self, arguments: &[u8], step: fn(Box<Origin>) -> Step, context: &mut Context) {
        match Origin::parse_attributes(arguments) {
            Some(origin) => self.push(step(Box::new(origin)), false, context),
            None => self.odd_command(Anomaly::SmtpXclientMalformed, context),
        }
    }

    /// Sends *step* and holds what follows until its reply came.
    fn block(&mut self, step: Step, blocker: Blocker, at: Timestamp, context: &mut Context) {
        let belongs = matches!(step, Step::Data);
        if belongs && !self.has_open_draft && self.may_have_lost_commands() {
            self.open_unseen(at, context);
        }
        if let Some(draft) = self.open_draft().filter(|_| belongs) {
            draft.last_at = at;
        }
        self.push(step, belongs, context);
        self.mode = Mode::Await(blocker);
    }

    /// Queues *step* for its reply; *belongs* ties it to the open draft.
    pub(super) fn push(&mut self, step: Step, belongs: bool, context: &mut Context) {
        if self.queue.len() >= context.limits.pending_commands {
            context.counters.commands_dropped += 1;
            self.note(Anomaly::SmtpTooManyPending, context);
            return self.queue.lose_commands();
        }
        let draft = self.open_draft().filter(|_| belongs).map(|draft| {
            draft.awaited += 1;
            draft.number
        });
        self.queue.push(Pending { step, draft });
    }

    pub(super) fn read_sasl<'a>(&mut self, octets: &'a [u8], context: &mut Context) -> &'a [u8] {
        let mut reader = std::mem::take(&mut self.client_line);
        let taken = match reader.next(octets, &context.limits) {
            Some((line, rest)) => {
                if let Some(sasl) = &mut self.sasl {
                    sasl.response(line.octets);
                }
                let used = octets.len() - rest.len();
                self.push(Step::Auth, false, context);
                self.mode = Mode::Await(Blocker::Auth);
                used
            }
            None => octets.len(),
        };
        if taken == octets.len() && self.mode == Mode::Sasl {
            self.client_line = reader;
        }
        &octets[taken..]
    }

    pub(super) fn read_tls<'a>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        if let Some(tls) = &mut self.tls {
            if let Some(name) = tls.hello.feed(octets) {
                tls.sni = Some(name);
            }
        }
        &octets[octets.len()..]
    }

    pub(super) fn read_resync<'a>(
        &mut self,
        octets: &'a [u8],
        inside_line: bool,
        at: Timestamp,
        context: &mut Context,
    ) -> &'a [u8] {
        let mut reader = std::mem::take(&mut self.client_line);
        let Some((line, rest)) = reader.next(octets, &context.limits) else {
            self.client_line = reader;
            return &octets[octets.len()..];
        };
        let used = octets.len() - rest.len();
        let neutral = line.octets.len() <= 64 && Command::parse(line.octets).verb == Verb::Neutral;
        if is_unmistakable(line.octets) || (neutral && !inside_line) {
            self.mode = Mode::Commands;
            self.command(&line, at, context);
        } else if inside_line {
            self.mode = Mode::Resync { inside_line: false };
        } else {
            // Neither command nor inside a line: content whose DATA was lost, if it turns out to end like content.
            self.begin_unannounced(&line, at, context);
        }
        &octets[used..]
    }
}

/// True if an ORCPT parameter names another address than the RCPT it stands in (RFC 3461 4.2).
pub(crate) fn differs(orcpt: &str, address: &str) -> bool {
    let original = orcpt.split_once(';').map_or(orcpt, |(_, original)| original);
    !original.eq_ignore_ascii_case(address)
}

/// The client's name in the *arguments* of its greeting: their first word, without control characters. None if it gave none.
pub(crate) fn name_in(arguments: &[u8]) -> Option<String> {
    let name = arguments
        .split(u8::is_ascii_whitespace)
        .next()
        .filter(|name| !name.is_empty())?;
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Some(String::from_utf8_lossy(name).chars().map(visible).collect())
}
