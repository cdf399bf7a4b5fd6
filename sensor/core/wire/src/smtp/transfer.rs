//! What the client transfers: content behind DATA, BDAT chunks, payloads.
//!
//! Content goes to the draft's content reader as it comes. Where its end was lost, or may have been, the rules of
//! [`super::session`] decide what the next octets are.

use super::context::Context;
use super::data::Stop;
use super::draft::Seal;
use super::reading::Look;
use super::session::{Blocker, Mode, Pending, Session, Step};
use crate::frame::Timestamp;

impl Session {
    /// What was held to tell whether the content is over is content after all.
    pub(super) fn keep_to_content(&mut self, at: Timestamp, context: &mut Context) {
        if matches!(self.mode, Mode::Guess(Blocker::LostContent | Blocker::Lookalike)) {
            self.read_held_as_content(at, context);
        }
    }

    /// What is held is content, up to its end of data if that is among it, whatever it looks like.
    pub(super) fn read_held_as_content(&mut self, at: Timestamp, context: &mut Context) {
        self.mode = Mode::Content;
        self.surely_content = true;
        self.release_held(at, context);
        self.surely_content = false;
    }

    /// The client's next octets are content. *unannounced*: without a sign of DATA, so its beginning is missing too.
    pub(super) fn open_content(&mut self, unannounced: bool, at: Timestamp, context: &mut Context) {
        if !self.has_open_draft {
            self.open_unseen(at, context);
        }
        self.mode = Mode::Content;
        self.data = super::data::DataReader::default();
        self.content_gap = unannounced;
        self.content_resumes = false;
        self.provisional = unannounced;
        self.content_reply_gap = false;
        if let Some(draft) = self.open_draft() {
            let content = draft.content.get_or_insert_with(|| context.reader());
            if unannounced {
                content.begin_inside();
            }
        }
    }

    pub(super) fn read_content<'a>(&mut self, octets: &'a [u8], at: Timestamp, context: &mut Context) -> &'a [u8] {
        let resumes = std::mem::take(&mut self.content_resumes);
        if resumes && !self.provisional && (self.content_reply_gap || !self.server_seen) {
            // Without the server's reply only the look of what follows tells whether the end of data was lost.
            self.mode = Mode::Guess(Blocker::LostContent);
            return octets;
        }
        let mut anomalies = crate::anomaly::AnomalySet::default();
        let Some(draft) = self.drafts.back_mut() else {
            self.lose_place(true);
            return &octets[octets.len()..];
        };
        draft.last_at = at;
        let Context { interest, limits, .. } = context;
        let mut content = draft.content.as_mut();
        let (provisional, sure) = (self.provisional, self.surely_content);
        // Behind its last octet what is surely content may still be followed by a command.
        let asks = |next: &[u8]| !provisional && (!sure || next.is_empty());
        let may_be_command = |next: &[u8]| asks(next) && Look::at(next) != Look::Other;
        let end = self.data.read(octets, &mut anomalies, may_be_command, |piece| {
            if let Some(content) = &mut content {
                content.feed(piece, interest, limits);
            }
        });
        for anomaly in anomalies.iter() {
            self.note(anomaly, context);
        }
        match end {
            None => &octets[octets.len()..],
            Some(Stop::Lookalike(used)) => {
                self.mode = Mode::Guess(Blocker::Lookalike);
                &octets[used..]
            }
            Some(Stop::End(used)) => {
                self.provisional = false;
                self.content_over(at, context);
                &octets[used..]
            }
        }
    }

    /// The content is over: its facts are drawn, and the final reply is awaited.
    pub(super) fn content_over(&mut self, at: Timestamp, context: &mut Context) {
        self.mode = Mode::Commands;
        self.content_gap = false;
        self.provisional = false;
        self.surely_content = false;
        self.finish_content(context);
        let early = self.open_draft().and_then(|draft| {
            draft.last_at = at;
            draft.early_reply.take()
        });
        match early {
            Some(reply) => {
                if let Some(draft) = self.open_draft() {
                    draft.final_reply = Some(reply);
                }
            }
            None => self.push(Step::Content, true, context),
        }
        self.seal_open(Seal::Complete);
        self.emit_settled(context);
    }

    /// Draws the facts of the open draft's content, whole or not.
    pub(super) fn finish_content(&mut self, context: &mut Context) {
        let Some(draft) = self.drafts.back_mut() else { return };
        let Context {
            interest,
            limits,
            counters,
            ..
        } = context;
        let Some(content) = draft.finish_content(interest, limits, counters) else {
            return;
        };
        context.spare(content);
        if let Some(facts) = &draft.message {
            context.tell_content(facts);
        }
    }

    /// The flow ends inside content: what was seen of it is told, unless it was only a guess.
    pub(super) fn abandon_content(&mut self, seal: Seal, context: &mut Context) {
        if self.provisional {
            self.drop_provisional();
        } else if self.open_draft().is_some_and(|draft| draft.content.is_some()) {
            self.finish_content(context);
            self.seal_open(seal);
        }
    }

    /// What was guessed to be content is none.
    pub(super) fn drop_provisional(&mut self) {
        self.provisional = false;
        self.content_gap = false;
        if self.has_open_draft {
            if let Some(draft) = self.drafts.pop_back() {
                self.loose_missing += draft.completeness.missing_octets;
            }
        }
        self.has_open_draft = false;
        self.mode = Mode::Resync { inside_line: false };
    }

    pub(super) fn read_chunk<'a>(
        &mut self,
        octets: &'a [u8],
        left: u64,
        last: bool,
        at: Timestamp,
        context: &mut Context,
    ) -> &'a [u8] {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len());
        let (chunk, rest) = octets.split_at(taken);
        if let Some(draft) = self.open_draft() {
            draft.last_at = at;
            if let Some(content) = draft.content.as_mut() {
                content.feed(chunk, &context.interest, &context.limits);
            }
        }
        self.chunk_taken(left - taken as u64, last, at, context);
        rest
    }

    pub(super) fn chunk_taken(&mut self, left: u64, last: bool, _at: Timestamp, context: &mut Context) {
        if left > 0 {
            self.mode = Mode::Chunk { left, last };
            return;
        }
        self.mode = Mode::Commands;
        if last {
            self.finish_content(context);
            self.seal_open(Seal::Complete);
            self.emit_settled(context);
        }
    }

    pub(super) fn read_payload<'a>(&mut self, octets: &'a [u8], left: u64) -> &'a [u8] {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len());
        self.payload_taken(left - taken as u64);
        &octets[taken..]
    }

    pub(super) fn payload_taken(&mut self, left: u64) {
        if left > 0 {
            self.mode = Mode::Payload { left };
        } else {
            // The payload has a reply of its own.
            self.queue.push(Pending {
                step: Step::Other,
                draft: None,
            });
            self.mode = Mode::Commands;
        }
    }
}
