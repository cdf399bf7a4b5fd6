//! How client octets are read: mode after mode, and what is held until it can be read.
//!
//! Octets that are held always come before those that just came. All reading goes through one loop, [`Session::read_client`]:
//! what a reply or a bound makes readable is read by it and not by calls within calls, which would go as deep as a hostile
//! client likes. What it tells does not depend on how the octets were cut: a question is answered by as many octets as it is
//! about, and a bound is reached at the same octet.

use super::command::is_unmistakable;
use super::context::Context;
use super::origin::{preamble, Preamble, PREAMBLE_OCTETS};
use super::session::{Blocker, Mode, Session};
use super::tls::begins_handshake;
use crate::anomaly::Anomaly;
use crate::frame::Timestamp;

/// Octets that tell a command from content, or from a SASL response, where the reply that would tell is lost.
const GUESS_OCTETS: usize = 512;
/// Octets held for such a question: many times what it is about, so that what is held is read in long pieces even where it
/// holds nothing but questions.
const GUESS_HELD_OCTETS: usize = 16 * GUESS_OCTETS;

/// What the next octets look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A line that can hardly be anything but a command.
    Command,
    /// Anything else.
    Other,
    /// Too few of them have come.
    Open,
}

impl Look {
    /// How *octets* look, which begin where a line does.
    pub(super) fn at(octets: &[u8]) -> Self {
        if octets
            .first()
            .is_some_and(|first| !first.is_ascii_alphabetic() && !first.is_ascii_whitespace())
        {
            return Self::Other;
        }
        let within = &octets[..octets.len().min(GUESS_OCTETS)];
        let line = match memchr::memchr(b'\n', within) {
            Some(line_end) => &within[..line_end],
            None if within.len() < GUESS_OCTETS => return Self::Open,
            None => within,
        };
        if is_unmistakable(line) {
            Self::Command
        } else {
            Self::Other
        }
    }
}

impl Session {
    /// Reads client octets behind those that are held, and holds what can't be read yet.
    pub(super) fn read_client(&mut self, octets: &[u8], at: Timestamp, context: &mut Context) {
        let mut rest = octets;
        loop {
            self.read_held(at, context);
            if self.held.is_empty() {
                let used = self.read_through(rest, at, context);
                rest = &rest[used..];
            }
            if rest.is_empty() {
                return;
            }
            let used = self.hold(rest, at, context);
            rest = &rest[used..];
        }
    }

    /// Reads what was held, if the mode that was waited for is known now.
    pub(super) fn release_held(&mut self, at: Timestamp, context: &mut Context) {
        if !self.held.is_empty() {
            self.read_client(&[], at, context);
        }
    }

    fn read_held(&mut self, at: Timestamp, context: &mut Context) {
        if self.held.is_empty() || matches!(self.mode, Mode::Await(_) | Mode::Suspect) {
            return;
        }
        // Taken out, so that nothing is held while it is read.
        let mut held = std::mem::take(&mut self.held);
        let used = self.read_through(held.unread(), at, context);
        held.advance(used);
        self.held = held;
    }

    /// Reads octets, mode after mode, until they are used up or the mode waits; how many were used.
    pub(super) fn read_through(&mut self, octets: &[u8], at: Timestamp, context: &mut Context) -> usize {
        let mut rest = octets;
        while !rest.is_empty() {
            rest = match self.mode {
                Mode::Commands => self.read_command(rest, at, context),
                Mode::Content => self.read_content(rest, at, context),
                Mode::Chunk { left, last } => self.read_chunk(rest, left, last, at, context),
                Mode::Payload { left } => self.read_payload(rest, left),
                Mode::Sasl => self.read_sasl(rest, context),
                Mode::Resync { inside_line } => self.read_resync(rest, inside_line, at, context),
                Mode::Tls => self.read_tls(rest),
                Mode::Opening => match self.read_opening(rest, context) {
                    Some(rest) => rest,
                    None => break,
                },
                Mode::Guess(blocker) => match self.guess(rest, blocker, at, context) {
                    true => rest,
                    false => break,
                },
                Mode::Suspect => break,
                Mode::Await(_) => {
                    self.note(Anomaly::SmtpPipelinedBeforeReply, context);
                    break;
                }
            };
        }
        octets.len() - rest.len()
    }

    /// Holds as many of *octets* as there is room for, and gives up waiting where there is none; how many were held.
    fn hold(&mut self, octets: &[u8], at: Timestamp, context: &mut Context) -> usize {
        let most = match self.mode {
            Mode::Opening => PREAMBLE_OCTETS,
            Mode::Guess(_) => GUESS_HELD_OCTETS,
            _ => context.limits.held_octets,
        };
        let room = most.saturating_sub(self.held.len()).min(octets.len());
        if room == 0 {
            self.stop_waiting(at, context);
        }
        self.held.push(&octets[..room]);
        room
    }

    /// As much is held as may be: whatever was waited for will not come, or came and was not seen.
    fn stop_waiting(&mut self, at: Timestamp, context: &mut Context) {
        match self.mode {
            Mode::Await(blocker) => {
                // Nobody sends this much without the reply: it was there and we did not see it.
                let held = std::mem::take(&mut self.held);
                self.queue.lose_replies(1);
                self.settle_as_client_speaks(true, at, context);
                self.held = held;
                if self.mode == Mode::Await(blocker) {
                    // Its command was not queued, there were too many.
                    self.mode = Mode::Guess(blocker);
                }
            }
            Mode::Suspect => self.dismiss_suspicion(at, context),
            _ => self.mode = Mode::Commands,
        }
    }

    fn read_opening<'a>(&mut self, octets: &'a [u8], context: &mut Context) -> Option<&'a [u8]> {
        let used = match preamble(octets) {
            Preamble::NeedMore => return None,
            Preamble::None => 0,
            Preamble::Proxy { used, ip } => {
                self.front_mut().proxied_ip = ip;
                used
            }
            Preamble::Malformed { used } => {
                self.note(Anomaly::SmtpXclientMalformed, context);
                used
            }
        };
        self.mode = Mode::Commands;
        Some(&octets[used..])
    }

    /// Decides by the look of the next octets, since the reply that would tell was lost. False if too few have come.
    fn guess(&mut self, octets: &[u8], blocker: Blocker, at: Timestamp, context: &mut Context) -> bool {
        let is_command = match (Look::at(octets), blocker) {
            (Look::Open, Blocker::Tls(_) | Blocker::Payload(_)) => is_unmistakable(octets),
            (Look::Open, _) => return false,
            (look, _) => look == Look::Command,
        };
        match blocker {
            Blocker::Data if !is_command => self.open_content(false, at, context),
            Blocker::Auth if !is_command => self.mode = Mode::Sasl,
            Blocker::Tls(start) if begins_handshake(octets) => self.turn_to_tls(start, context),
            Blocker::LostContent | Blocker::Lookalike if !is_command => self.mode = Mode::Content,
            Blocker::Lookalike => self.suspect(context),
            Blocker::LostContent => {
                self.content_over(at, context);
                self.queue.lose_replies(1);
            }
            Blocker::Payload(size) if !is_command => self.mode = Mode::Payload { left: size },
            _ => self.mode = Mode::Commands,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_looks_the_same_however_much_stands_behind_it() {
        let long = [b"EHLO ".as_slice(), &[b'x'; 300]].concat();
        let cases: &[(&[u8], Look)] = &[
            (b"QUIT\r\n", Look::Command),
            (b"quit smoking\r\n", Look::Other),
            (b"\n", Look::Other),
            (b"QUIT", Look::Open),
            (b"", Look::Open),
            (&long, Look::Open),
        ];
        for (octets, expected) in cases {
            assert_eq!(Look::at(octets), *expected, "{}", octets.escape_ascii());
            let with_tail = [octets, [b' '; 600].as_slice(), b"\r\nQUIT\r\n"].concat();
            if *expected != Look::Open {
                assert_eq!(Look::at(&with_tail), *expected, "{}", octets.escape_ascii());
            }
        }
    }

    #[test]
    fn a_line_is_judged_by_its_first_octets_alone() {
        for line_end in [GUESS_OCTETS - 1, GUESS_OCTETS, GUESS_OCTETS + 1] {
            let line = [b"MAIL FROM:<".as_slice(), &vec![b'x'; line_end], b"\r\n"].concat();
            let decided = (0..=line.len()).map(|cut| Look::at(&line[..cut]));
            assert!(decided
                .filter(|look| *look != Look::Open)
                .all(|look| look == Look::Command));
        }
    }
}
