//! What a session holds, and what it gives up where all sessions together hold too much.
//!
//! Content goes first: what was collected of it is read as far as it came, and of the rest the octets are counted. If that does not
//! do, the session is told: every transaction becomes a record of what is known by then, and the session goes on as one that is
//! joined inside. So nothing that was seen of an envelope is lost, and each record says that it is not whole.

use super::context::Context;
use super::draft::Seal;
use super::drafts::Drafts;
use super::queue::ReplyQueue;
use super::session::{Front, Mode, Session};
use crate::anomaly::Anomaly;
use crate::frame::Timestamp;
use crate::record::event::Reply;

impl Session {
    /// Tells *context* what this session holds now, and sheds some of it if it must.
    pub(super) fn account(&mut self, at: Timestamp, context: &mut Context) {
        let held = self.held_octets(context);
        if !context.holds(&mut self.accounted, held) {
            return;
        }
        self.shed_content(context);
        let mut left = self.held_octets(context);
        if context.holds(&mut self.accounted, left) {
            self.tell_all(at, context);
            left = self.held_octets(context);
            context.holds(&mut self.accounted, left);
        }
        context.counters.session_octets_shed += held.saturating_sub(left) as u64;
    }

    /// Octets it holds beside its own size, without a walk over anything that grows.
    fn held_octets(&self, context: &Context) -> usize {
        let reply_octets = size_of::<Reply>() + context.limits.reply_text_octets;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let front = |front: &Front| size_of::<Front>() + front.origin.held_octets() + front.forwarded.held_octets();
        self.held.capacity()
            + self.client_line.held_octets()
            + self.server_line.held_octets()
            + self.queue.held_octets(context.limits.reply_text_octets)
            + self.drafts.held_octets()
            + self.suspect_replies.len() * reply_octets
            + text(&self.helo)
            + text(&self.auth_user)
            + self.sasl.as_ref().map_or(0, |sasl| sasl.held_octets())
            + self.front.as_deref().map_or(0, front)
            + self.tls.as_ref().map_or(0, |tls| tls.hello.held_octets())
    }

    fn shed_content(&mut self, context: &mut Context) {
        let Some(draft) = self.open_draft() else { return };
        let Some(content) = draft.content.as_mut() else { return };
        content.shed(&context.interest, &context.limits);
        draft.completeness.truncated = true;
        self.note(Anomaly::SmtpSessionShed, context);
    }

    /// Records what is known of every transaction, and forgets all else but the place in a stream of known length.
    fn tell_all(&mut self, at: Timestamp, context: &mut Context) {
        context.count(Anomaly::SmtpSessionShed);
        if self.drafts.is_empty() {
            self.loose_anomalies.insert(Anomaly::SmtpSessionShed);
        }
        for draft in self.drafts.iter_mut() {
            draft.completeness.truncated = true;
            draft.anomalies.insert(Anomaly::SmtpSessionShed);
        }
        self.held.clear();
        let settled = self.queue.finish();
        self.apply_all(settled, at, context);
        self.abandon_content(Seal::Unseen, context);
        for draft in self.drafts.iter_mut() {
            draft.awaited = 0;
            draft.seal(Seal::Unseen);
        }
        self.has_open_draft = false;
        self.emit_settled(context);
        self.forget();
    }

    fn forget(&mut self) {
        self.drafts = Drafts::default();
        self.queue = ReplyQueue::default();
        self.suspect_replies = Vec::new();
        self.server_line.clear();
        self.reply_lines.clear();
        self.server_inside_line = true;
        (self.helo, self.auth_user, self.front) = (None, None, None);
        self.midstream = true;
        match self.mode {
            Mode::Chunk { .. } | Mode::Payload { .. } => self.queue.lose_commands(),
            Mode::Tls => {
                if let Some(tls) = &mut self.tls {
                    tls.hello.gap();
                }
            }
            _ => self.lose_place(true),
        }
    }
}
