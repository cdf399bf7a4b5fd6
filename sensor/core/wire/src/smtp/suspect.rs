//! A false end of data with a command behind it: smuggling, or a body that quotes a dialogue?
//!
//! The server knows. A server that keeps to RFC 5321 answers once, at the true end; one that was fooled answers the false end
//! and then each command behind it. So what follows a false end is held, in a bounded buffer, until the replies tell:
//!
//! * a reply though the true end of data was not sent yet, or more replies than one mail gets: **fooled**. The content ended at
//!   the false end, and what was held are commands; the smuggled mail becomes a transaction of its own.
//! * one mail's replies and then the client goes on, or the connection ends: **not fooled**. What was held is content, with all
//!   the false ends in it.
//! * more than the buffer holds: the first half of it is taken for content, so that a false end waits for its reply through
//!   at least as much. By halves, since a hostile client may put one into every line.

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

    /// A reply while what was sent is in doubt.
    pub(super) fn suspect_reply(&mut self, reply: Reply, at: Timestamp, context: &mut Context) {
        self.suspect_replies.push(reply);
        if !self.held.holds_end_of_data() || self.suspect_replies.len() > self.final_replies_due() {
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
        let replies = std::mem::take(&mut self.suspect_replies);
        self.content_over(at, context);
        self.release_held(at, context);
        self.pair_all(replies, at, context);
    }

    /// The server was not fooled, or never told: what was held is content.
    pub(super) fn clear_suspicion(&mut self, at: Timestamp, context: &mut Context) {
        if self.mode != Mode::Suspect {
            return;
        }
        let replies = std::mem::take(&mut self.suspect_replies);
        self.read_held_as_content(at, context);
        self.pair_all(replies, at, context);
    }

    /// As much is held as may be, and no reply came.
    pub(super) fn dismiss_suspicion(&mut self, at: Timestamp, context: &mut Context) {
        let mut held = std::mem::take(&mut self.held);
        let half = held.len().div_ceil(2);
        self.mode = Mode::Content;
        self.surely_content = true;
        let used = self.read_through(&held.unread()[..half], at, context);
        self.surely_content = false;
        held.advance(used);
        self.held = held;
    }

    fn pair_all(&mut self, replies: Vec<Reply>, at: Timestamp, context: &mut Context) {
        for reply in replies {
            self.pair(reply, at, context);
        }
    }
}
