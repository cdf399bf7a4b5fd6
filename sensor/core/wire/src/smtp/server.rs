//! What the server answers: replies, paired with their commands and written into the drafts.

use super::context::Context;
use super::draft::{Draft, Seal};
use super::queue::{Paired, Settled};
use super::reply::{parse_line, Keyword, WholeReply};
use super::session::{Blocker, Mode, Pending, Session, Step};
use super::state::{step, Answered, ReplyClass, State};
use super::tls::begins_handshake;
use crate::anomaly::{Anomaly, AnomalySet};
use crate::frame::Timestamp;
use crate::record::event::{Protocol, Reply};

impl Session {
    /// Reads server octets line by line.
    pub(super) fn read_server(&mut self, octets: &[u8], at: Timestamp, context: &mut Context) {
        let mut reader = std::mem::take(&mut self.server_line);
        let mut rest = octets;
        while !rest.is_empty() && self.mode != Mode::Tls {
            let Some((line, after)) = reader.next(rest, &context.limits) else {
                break;
            };
            let used = rest.len() - after.len();
            if std::mem::take(&mut self.server_inside_line) && parse_line(line.octets).is_none() {
                rest = &rest[used..];
                continue;
            }
            if line.dropped > 0 {
                context.counters.line_octets_dropped += line.dropped;
                self.note(Anomaly::SmtpLineTooLong, context);
            }
            let mut anomalies = AnomalySet::default();
            let keeps_words = self.keeps_words();
            let whole = self
                .reply_lines
                .line(&line, keeps_words, &context.limits, &mut anomalies);
            for anomaly in anomalies.iter() {
                self.note(anomaly, context);
            }
            rest = &rest[used..];
            if let Some(whole) = whole {
                self.reply(whole, at, context);
            }
        }
        self.server_line = reader;
    }

    /// True if a reply that refuses nothing goes into a record all the same, or may do so yet.
    fn keeps_words(&self) -> bool {
        let answered = self.queue.next_answered();
        self.mode == Mode::Suspect || answered.is_none_or(|pending| matches!(pending.step, Step::Content))
    }

    fn reply(&mut self, whole: WholeReply, at: Timestamp, context: &mut Context) {
        self.pipelining |= whole.keywords.contains(&Keyword::Pipelining);
        if self.mode == Mode::Suspect {
            return self.suspect_reply(whole.reply, at, context);
        }
        self.pair(whole.reply, at, context);
    }

    /// Pairs *reply* with its command.
    pub(super) fn pair(&mut self, reply: Reply, at: Timestamp, context: &mut Context) {
        let paired = self.queue.reply(reply);
        self.note_slip(context);
        match paired {
            Paired::Answered(pending, reply) => {
                self.apply(pending, Some(reply), at, context);
                self.emit_settled(context);
            }
            Paired::Settled(settled) => self.apply_all(settled, at, context),
            Paired::SetAside => {}
            Paired::Surplus(reply, loss_known) => self.surplus(reply, loss_known, at, context),
        }
        self.release_held(at, context);
    }

    /// The client speaks: where pairing was uncertain it may be certain now.
    pub(super) fn settle_as_client_speaks(&mut self, blocked: bool, at: Timestamp, context: &mut Context) {
        let settled = self.queue.client_speaks(blocked);
        self.note_slip(context);
        if !settled.is_empty() {
            self.apply_all(settled, at, context);
            // All replies have come: content over LMTP that would wait for one more will not get it.
            let rest = self.queue.finish();
            self.apply_all(rest, at, context);
        }
        self.release_held(at, context);
    }

    fn note_slip(&mut self, context: &mut Context) {
        if self.queue.take_slipped() {
            self.note(Anomaly::SmtpSessionDesynchronised, context);
        }
    }

    pub(super) fn apply_all(&mut self, settled: Vec<Settled<Pending>>, at: Timestamp, context: &mut Context) {
        for (pending, reply) in settled {
            self.apply(pending, reply, at, context);
        }
        self.emit_settled(context);
    }

    /// Writes *reply* (none: never seen) to where *pending* belongs.
    fn apply(&mut self, pending: Pending, reply: Option<Reply>, at: Timestamp, context: &mut Context) {
        self.move_state(&pending.step, reply.as_ref(), context);
        if let Some(reply) = &reply {
            self.closing = (reply.code == 421).then(|| Box::new(reply.clone()));
        }
        let Pending { step, draft } = pending;
        if matches!(step, Step::Content) && self.protocol == Some(Protocol::Lmtp) {
            return self.lmtp_content(draft, reply, at);
        }
        if let Some(draft) = self.draft(draft) {
            draft.awaited = draft.awaited.saturating_sub(1);
            if let Some(reply) = &reply {
                draft.last_at = draft.last_at.max(at);
                write_reply(draft, &step, reply);
            }
        }
        self.change_mode(step, reply, at, context);
    }

    fn move_state(&mut self, sent: &Step, reply: Option<&Reply>, context: &mut Context) {
        match (sent.answered(), reply) {
            (Some(answered), Some(reply)) => {
                let (next, anomaly) = step(self.state, answered, ReplyClass::of(reply.code));
                self.state = next;
                if let Some(anomaly) = anomaly {
                    self.note(anomaly, context);
                }
            }
            (Some(Answered::Content), None) => self.state = State::Ready,
            (Some(_), None) => self.state = State::Unknown,
            (None, _) => {}
        }
    }

    /// RFC 2033 4.2: one final reply per recipient that was accepted.
    fn lmtp_content(&mut self, number: Option<u32>, reply: Option<Reply>, at: Timestamp) {
        let Some(draft) = self.draft(number) else { return };
        let more = reply.is_some_and(|reply| {
            draft.last_at = draft.last_at.max(at);
            draft.lmtp_reply(reply)
        });
        if more {
            self.queue.push_front(Pending {
                step: Step::Content,
                draft: number,
            });
        } else {
            draft.awaited = draft.awaited.saturating_sub(1);
        }
    }

    /// What the reply means for the client's next octets and for what is known of it.
    fn change_mode(&mut self, step: Step, reply: Option<Reply>, at: Timestamp, context: &mut Context) {
        let class = reply.as_ref().map(|reply| ReplyClass::of(reply.code));
        let done = class == Some(ReplyClass::PositiveCompletion);
        match step {
            Step::Data => self.data_answered(class, at, context),
            Step::Auth => {
                // Whether it succeeded is part of every transaction that follows.
                self.midstream |= class.is_none();
                self.auth_answered(class, context);
            }
            Step::Tls(start) => self.tls_answered(start, class, context),
            Step::Payload => {
                if let Mode::Await(Blocker::Payload(size)) = self.mode {
                    self.mode = match class {
                        Some(ReplyClass::PositiveIntermediate) => Mode::Payload { left: size },
                        None => Mode::Guess(Blocker::Payload(size)),
                        Some(_) => Mode::Commands,
                    };
                }
            }
            Step::MailAgain(path) if done => {
                self.seal_open(Seal::Abandoned);
                self.open_transaction(at, context);
                self.set_sender(*path, context);
                if let Some(draft) = self.open_draft() {
                    draft.sender_accepted = true;
                }
            }
            Step::MailAgain(path) => {
                if let Some(reply) = reply.filter(|reply| reply.code != 503) {
                    self.emit_refused(*path, reply, at, context);
                }
            }
            Step::Xclient(origin) if done || class == Some(ReplyClass::PositiveIntermediate) => {
                self.helo = origin.helo.clone().or_else(|| self.helo.take());
                self.auth_user = origin.login.clone().or_else(|| self.auth_user.take());
                self.front_mut().origin.update(*origin);
            }
            Step::Xforward(origin) if done => self.front_mut().forwarded.update(*origin),
            _ => {}
        }
    }

    fn data_answered(&mut self, class: Option<ReplyClass>, at: Timestamp, context: &mut Context) {
        if self.mode != Mode::Await(Blocker::Data) {
            return;
        }
        match class {
            Some(ReplyClass::PositiveIntermediate) => self.open_content(false, at, context),
            Some(ReplyClass::PositiveCompletion) => {
                // 2yz answers no DATA: the pairing has slipped, or the server is broken. The next octets tell.
                self.note(Anomaly::SmtpSessionDesynchronised, context);
                self.mode = Mode::Guess(Blocker::Data);
            }
            Some(_) => self.mode = Mode::Commands,
            None => self.mode = Mode::Guess(Blocker::Data),
        }
    }

    fn auth_answered(&mut self, class: Option<ReplyClass>, context: &mut Context) {
        match class {
            Some(ReplyClass::PositiveIntermediate) => {
                self.mode = Mode::Sasl;
                return;
            }
            Some(ReplyClass::PositiveCompletion) => {
                if let Some(sasl) = self.sasl.take() {
                    if sasl.is_malformed() {
                        self.note(Anomaly::SmtpAuthMalformed, context);
                    }
                    self.auth_user = sasl.into_user();
                }
                self.mode = Mode::Commands;
            }
            Some(_) => self.mode = Mode::Commands,
            None => {
                self.mode = Mode::Guess(Blocker::Auth);
                return;
            }
        }
        self.sasl = None;
    }

    fn tls_answered(&mut self, start: &'static str, class: Option<ReplyClass>, context: &mut Context) {
        if self.mode != Mode::Await(Blocker::Tls(start)) {
            return;
        }
        match class {
            Some(ReplyClass::PositiveCompletion) => {
                if !self.held.is_empty() && !begins_handshake(self.held.unread()) {
                    self.note(Anomaly::SmtpDataBeforeStarttls, context);
                    self.held.clear();
                }
                self.turn_to_tls(start, context);
            }
            Some(_) => self.mode = Mode::Commands,
            None => self.mode = Mode::Guess(Blocker::Tls(start)),
        }
    }

    /// A reply to no command that was seen. *loss_known*: commands are known to be missing, so it is no wonder.
    fn surplus(&mut self, reply: Reply, loss_known: bool, at: Timestamp, context: &mut Context) {
        if self.provisional {
            self.drop_provisional();
        }
        if self.mode == Mode::Guess(Blocker::Lookalike) && self.held.is_empty() && reply.code != 421 {
            // The server took the false end for the end, and the client waits as if it were.
            self.content_over(at, context);
            return self.pair(reply, at, context);
        }
        self.keep_to_content(at, context);
        match (self.mode, reply.code) {
            // The server gives up (RFC 5321 3.8): the transaction at hand is deferred by it.
            (_, 421) => self.server_gives_up(reply, at),
            (Mode::Content, _) if self.content_gap => {
                // The end of data was among the lost octets: the server answers only whole content.
                if self.content_resumes {
                    if let Some(content) = self.open_draft().and_then(|draft| draft.content.as_mut()) {
                        content.lost_its_end();
                    }
                }
                self.content_over(at, context);
                self.mode = Mode::Resync { inside_line: false };
                match self.queue.reply(reply) {
                    Paired::Answered(pending, reply) => self.apply_all(vec![(pending, Some(reply))], at, context),
                    Paired::Settled(settled) => self.apply_all(settled, at, context),
                    Paired::SetAside | Paired::Surplus(..) => {}
                }
            }
            (Mode::Content, _) => {
                self.note(Anomaly::SmtpReplyBeforeEndOfData, context);
                if let Some(draft) = self.open_draft() {
                    draft.early_reply.get_or_insert(reply);
                }
            }
            (_, 354) if loss_known || self.may_have_lost_commands() => {
                self.settle_as_client_speaks(true, at, context);
                self.client_line.clear();
                self.state = State::InContent;
                self.open_content(false, at, context);
            }
            (_, 235 | 334) if loss_known => {
                // A login that was not seen: whose mail it is stays unknown.
                self.midstream = true;
                if reply.code == 334 {
                    self.mode = Mode::Sasl;
                }
            }
            (_, 220) if loss_known && self.state == State::Unknown && self.client_seen => {
                self.mode = Mode::Guess(Blocker::Tls("starttls"))
            }
            _ if loss_known => {}
            _ => self.note(Anomaly::SmtpReplyWithoutCommand, context),
        }
    }

    fn server_gives_up(&mut self, reply: Reply, at: Timestamp) {
        self.state = State::Closing;
        self.closing = Some(Box::new(reply));
        if let Some(draft) = self.open_draft() {
            draft.last_at = draft.last_at.max(at);
        }
    }
}

/// Writes a reply into the draft it belongs to.
fn write_reply(draft: &mut Draft, step: &Step, reply: &Reply) {
    let negative = ReplyClass::of(reply.code).is_negative();
    match step {
        Step::Mail if negative => {
            draft.refused.get_or_insert_with(|| reply.clone());
        }
        Step::Mail => draft.sender_accepted = true,
        Step::Rcpt(index) => {
            if let Some(path) = index.and_then(|index| draft.forward_paths.get_mut(index)) {
                path.reply_code = Some(reply.code);
                path.accepted = ReplyClass::of(reply.code) == ReplyClass::PositiveCompletion;
            }
            if negative {
                draft.recipient_refused = Some(reply.clone());
            }
        }
        Step::Data | Step::Chunk if negative => {
            // With every recipient refused, DATA is answered 554 or 503: what decided are the recipients.
            let by_recipients = reply.code != 421 && draft.outcome_of_recipients().is_some();
            if !by_recipients {
                draft.refused.get_or_insert_with(|| reply.clone());
            }
        }
        Step::Content => draft.final_reply = Some(reply.clone()),
        _ => {}
    }
}
