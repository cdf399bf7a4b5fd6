//! A false end of data with a command behind it: smuggling, or a body that quotes a dialogue?
//!
//! The server knows. A server that keeps to RFC 5321 answers once, at the true end; one that was fooled answers the false end
//! and then each command behind it. So what follows a false end is held, in a bounded buffer, until the replies tell:
//!
//! * a reply though the true end of data was not sent yet, or more replies than one mail gets: **fooled**. The content ended at
//!   the false end, and what was held are commands; the smuggled mail becomes a transaction of its own.
//! * one mail's replies and then the client goes on, or the connection ends: **not fooled**. What was held is content.
//! * more than the buffer holds: taken for content.

use super::context::Context;
use super::session::{Mode, Session};
use crate::anomaly::Anomaly;
use crate::frame::Timestamp;
use crate::record::event::{Protocol, Reply};

impl Session {
    /// A command stands behind a false end of data: what was held stays held until the server tells.
    pub(super) fn suspect(&mut self, context: &mut Context) {
        self.note(Anomaly::SmtpCommandAfterSmuggledEnd, context);
        self.mode = Mode::Suspect;
        self.suspect_replies = Vec::new();
    }

    /// Client octets behind a false end.
    pub(super) fn hold_suspect(&mut self, octets: &[u8], at: Timestamp, context: &mut Context) {
        self.held.extend_from_slice(octets);
        if self.held.len() > context.limits.held_octets {
            self.clear_suspicion(at, context);
        }
    }

    /// A reply while what was sent is in doubt.
    pub(super) fn suspect_reply(&mut self, reply: Reply, at: Timestamp, context: &mut Context) {
        self.suspect_replies.push(reply);
        let ended = memchr::memmem::find(&self.held, b"\r\n.\r\n").is_some();
        if !ended || self.suspect_replies.len() > self.final_replies_due() {
            self.fooled(at, context);
        }
    }

    /// Replies that the content of the open draft gets: one, or over LMTP one per accepted recipient.
    fn final_replies_due(&mut self) -> usize {
        let lmtp = self.protocol == Some(Protocol::Lmtp);
        let accepted = self.open_draft().map_or(0, |draft| {
            draft.forward_paths.iter().filter(|path| path.accepted).count()
        });
        if lmtp {
            accepted.max(1)
        } else {
            1
        }
    }

    /// The server took the false end for the end: what was held are commands.
    fn fooled(&mut self, at: Timestamp, context: &mut Context) {
        let held = std::mem::take(&mut self.held);
        let replies = std::mem::take(&mut self.suspect_replies);
        self.content_over(at, context);
        self.read_client(&held, at, context);
        self.pair_all(replies, at, context);
    }

    /// The server was not fooled, or never told: what was held is content.
    pub(super) fn clear_suspicion(&mut self, at: Timestamp, context: &mut Context) {
        if self.mode != Mode::Suspect {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let replies = std::mem::take(&mut self.suspect_replies);
        self.mode = Mode::Content;
        self.read_client(&held, at, context);
        self.pair_all(replies, at, context);
    }

    fn pair_all(&mut self, replies: Vec<Reply>, at: Timestamp, context: &mut Context) {
        for reply in replies {
            self.pair(reply, at, context);
        }
    }
}
