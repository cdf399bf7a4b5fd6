//! Which reply answers which command: the heart of reading SMTP from the side.
//!
//! Commands may be sent ahead of their replies (RFC 2920), so each waits in a queue, and a reply answers the front one. That
//! holds as long as every command and every reply was seen. After a loss it does not:
//!
//! * **Commands lost.** The replies to them still come, so a reply may answer a command that is not in the queue. The place of
//!   the loss is marked in the queue. What was sent before the mark is paired as ever; once the mark is at the front, the
//!   pairing is *ambiguous*.
//! * **Replies lost.** Some of the commands that wait, from the front, will never be answered: ambiguous at once.
//!
//! While it is ambiguous, replies are set aside. They are paired **from the end** at the next point where it is known which
//! command the newest reply answers: a 354 (answers DATA, or the like, alone), the client's next command (a client that waits
//! has by then seen all replies to what it sent), a 221, or the end of the session. Commands left over have lost their reply;
//! replies left over answered lost commands.
//!
//! Pairing can also **slip** unnoticed, where a loss was judged wrong. Two things betray it: a reply that its command can't get (354
//! to anything but DATA, 2yz to DATA), and a client that always waits but speaks while a command of its is unanswered. Then
//! the pairing is set right as after a loss, and [`ReplyQueue::take_slipped`] tells. TCP delivers the two directions in the order of cause and effect
//! ([`crate::tcp`]), without which none of this would hold.

use std::collections::VecDeque;

use crate::record::event::Reply;

/// What the queue needs to know of a command.
pub trait Waiting {
    /// True if 354 answers it (DATA, XEXCH50).
    fn expects_354(&self) -> bool;
    /// True if 221 answers it (QUIT).
    fn expects_221(&self) -> bool;
    /// True if 334 answers it (AUTH).
    fn expects_334(&self) -> bool;
    /// Octets it holds beside its own size; always the same.
    fn held_octets(&self) -> usize {
        0
    }
}

/// The commands that alone take a reply of this code; none if many do.
fn sole_takers<T: Waiting>(code: u16) -> Option<fn(&T) -> bool> {
    match code {
        221 => Some(T::expects_221),
        334 => Some(T::expects_334),
        354 => Some(T::expects_354),
        _ => None,
    }
}

/// A command that is settled: with its reply, or with the knowledge that its reply was never seen.
pub type Settled<T> = (T, Option<Reply>);

#[derive(Debug)]
enum Entry<T> {
    Command(T),
    /// An unknown number of commands was lost here.
    Lost,
}

/// The commands that wait for their replies.
#[derive(Debug)]
pub struct ReplyQueue<T> {
    waiting: VecDeque<Entry<T>>,
    /// How many of them are commands.
    commands: usize,
    /// What those hold beside their own size.
    command_octets: usize,
    /// At most as many as commands wait: pairing goes from the end, so of more the first ones could answer none of these.
    set_aside: VecDeque<Reply>,
    ambiguous: bool,
    /// The most commands the client sent without waiting: over one, it pipelines.
    deepest: usize,
    /// Commands sent since the server spoke last.
    burst: usize,
    /// Replies that may have been lost since pairing was certain, at most.
    lost_at_most: u64,
    /// The pairing was found wrong.
    slipped: bool,
}

/// The shortest reply: a code and a line end.
const SHORTEST_REPLY: u64 = 5;

impl<T> Default for ReplyQueue<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            commands: 0,
            command_octets: 0,
            set_aside: VecDeque::new(),
            ambiguous: false,
            deepest: 0,
            burst: 0,
            lost_at_most: 0,
            slipped: false,
        }
    }
}

/// What a reply did.
#[derive(Debug, PartialEq, Eq)]
pub enum Paired<T> {
    /// It answers this command: what nearly every reply does.
    Answered(T, Reply),
    /// It settled these, in the order in which they were sent.
    Settled(Vec<Settled<T>>),
    /// It was set aside until the pairing is certain again.
    SetAside,
    /// It answers no command that was seen. True: commands are known to be lost, so that is no wonder.
    Surplus(Reply, bool),
}

impl<T: Waiting> ReplyQueue<T> {
    /// Commands that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands
    }

    /// True if none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if replies can't be paired for certain now.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// The command that the next reply answers, as far as that is certain.
    #[must_use]
    pub fn next_answered(&self) -> Option<&T> {
        match self.waiting.front() {
            Some(Entry::Command(command)) if !self.ambiguous => Some(command),
            _ => None,
        }
    }

    /// The newest command that waits.
    pub fn newest(&mut self) -> Option<&mut T> {
        match self.waiting.back_mut() {
            Some(Entry::Command(command)) => Some(command),
            _ => None,
        }
    }

    /// Octets it holds, without a walk over them; *reply_octets* are what a reply holds at most beside its own size.
    #[must_use]
    pub fn held_octets(&self, reply_octets: usize) -> usize {
        let waiting = self.waiting.capacity() * size_of::<Entry<T>>();
        let set_aside = self.set_aside.len() * (size_of::<Reply>() + reply_octets);
        waiting + set_aside + self.command_octets
    }

    /// A command was sent.
    pub fn push(&mut self, command: T) {
        self.command_octets += command.held_octets();
        self.waiting.push_back(Entry::Command(command));
        self.commands += 1;
        self.burst += 1;
        let waiting = if self.ambiguous { 0 } else { self.waiting.len() };
        self.deepest = self.deepest.max(self.burst).max(waiting);
    }

    /// The front command waits for one more reply (LMTP: one per recipient).
    pub fn push_front(&mut self, command: T) {
        self.command_octets += command.held_octets();
        self.waiting.push_front(Entry::Command(command));
        self.commands += 1;
    }

    /// A reply came.
    pub fn reply(&mut self, reply: Reply) -> Paired<T> {
        self.burst = 0;
        if !self.ambiguous && self.misfits(reply.code) {
            self.slipped = true;
            self.ambiguous = true;
        }
        if !self.ambiguous {
            match self.waiting.pop_front() {
                Some(Entry::Command(command)) => {
                    self.commands -= 1;
                    self.command_octets = self.command_octets.saturating_sub(command.held_octets());
                    return Paired::Answered(command, reply);
                }
                Some(Entry::Lost) => self.ambiguous = true,
                None => return Paired::Surplus(reply, false),
            }
        }
        let sync = sole_takers(reply.code).and_then(|expects| self.position(expects));
        if let Some(position) = sync {
            self.set_aside(reply);
            return Paired::Settled(self.align(position + 1));
        }
        if reply.code == 354 || self.is_empty() {
            return Paired::Surplus(reply, true);
        }
        self.set_aside(reply);
        Paired::SetAside
    }

    fn set_aside(&mut self, reply: Reply) {
        self.set_aside.push_back(reply);
        if self.set_aside.len() > self.commands {
            self.set_aside.pop_front();
        }
    }

    /// The client speaks again: if it waits for replies before it does, all of them have come.
    ///
    /// *blocked* says that it could not have gone on without the newest reply (DATA, AUTH, STARTTLS).
    pub fn client_speaks(&mut self, blocked: bool) -> Vec<Settled<T>> {
        if !self.ambiguous && self.deepest <= 1 && self.burst == 0 && !self.is_empty() {
            self.slipped = true;
            self.ambiguous = true;
        }
        let accounted = self.set_aside.len() as u64 + self.lost_at_most >= self.len() as u64;
        let waited = self.burst == 0 && (self.deepest <= 1 || accounted);
        let all_came = blocked || waited;
        if self.ambiguous && all_came {
            self.align(self.waiting.len())
        } else {
            Vec::new()
        }
    }

    /// True if the pairing was found wrong since this was asked last.
    pub fn take_slipped(&mut self) -> bool {
        std::mem::take(&mut self.slipped)
    }

    /// True if the front command can't get a reply of this *code*.
    fn misfits(&self, code: u16) -> bool {
        let Some(Entry::Command(front)) = self.waiting.front() else {
            return false;
        };
        match sole_takers(code) {
            Some(expects) => !expects(front) && self.position(expects).is_some(),
            None => code / 100 == 2 && front.expects_354() && self.deepest > 1,
        }
    }

    /// Commands were lost here.
    pub fn lose_commands(&mut self) {
        self.burst += 1;
        if self.waiting.is_empty() {
            self.ambiguous = true;
        } else if !matches!(self.waiting.back(), Some(Entry::Lost)) {
            self.waiting.push_back(Entry::Lost);
        }
    }

    /// Replies were lost here, *octets* of them.
    pub fn lose_replies(&mut self, octets: u64) {
        self.burst = 0;
        self.lost_at_most = self.lost_at_most.saturating_add((octets / SHORTEST_REPLY).max(1));
        if !self.is_empty() {
            self.ambiguous = true;
        }
    }

    /// No more replies will come: settles everything.
    pub fn finish(&mut self) -> Vec<Settled<T>> {
        if self.ambiguous {
            return self.align(self.waiting.len());
        }
        self.ambiguous = false;
        self.commands = 0;
        self.command_octets = 0;
        self.waiting
            .drain(..)
            .filter_map(|entry| {
                if let Entry::Command(command) = entry {
                    Some((command, None))
                } else {
                    None
                }
            })
            .collect()
    }

    fn position(&self, expects: fn(&T) -> bool) -> Option<usize> {
        self.waiting
            .iter()
            .position(|entry| matches!(entry, Entry::Command(command) if expects(command)))
    }

    /// Pairs the first *count* entries with the replies set aside, from the end, and is certain again.
    fn align(&mut self, count: usize) -> Vec<Settled<T>> {
        let commands: Vec<T> = self
            .waiting
            .drain(..count)
            .filter_map(|entry| {
                if let Entry::Command(command) = entry {
                    Some(command)
                } else {
                    None
                }
            })
            .collect();
        self.commands -= commands.len();
        let octets: usize = commands.iter().map(T::held_octets).sum();
        self.command_octets = self.command_octets.saturating_sub(octets);
        let mut replies = std::mem::take(&mut self.set_aside);
        self.lost_at_most = 0;
        let surplus = replies.len().saturating_sub(commands.len());
        replies.drain(..surplus);
        let unanswered = commands.len() - replies.len();
        let replies = std::iter::repeat_with(|| None)
            .take(unanswered)
            .chain(replies.into_iter().map(Some));
        self.ambiguous = matches!(self.waiting.front(), Some(Entry::Lost));
        if self.ambiguous {
            self.waiting.pop_front();
        }
        commands.into_iter().zip(replies).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Waiting for &str {
        fn expects_354(&self) -> bool {
            *self == "DATA"
        }
        fn expects_221(&self) -> bool {
            *self == "QUIT"
        }
        fn expects_334(&self) -> bool {
            *self == "AUTH"
        }
    }

    fn reply(code: u16, text: &str) -> Reply {
        Reply {
            code,
            enhanced: None,
            text: text.to_owned(),
        }
    }

    fn told(settled: Vec<Settled<&str>>) -> Vec<(&str, Option<u16>)> {
        settled
            .into_iter()
            .map(|(command, reply)| (command, reply.map(|reply| reply.code)))
            .collect()
    }

    fn settled(paired: Paired<&str>) -> Vec<(&str, Option<u16>)> {
        match paired {
            Paired::Answered(command, reply) => told(vec![(command, Some(reply))]),
            Paired::Settled(settled) => told(settled),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pipelined_commands_are_paired_in_order() {
        let mut queue = ReplyQueue::default();
        for command in ["MAIL", "RCPT a", "RCPT b", "DATA"] {
            queue.push(command);
        }
        for (command, code) in [("MAIL", 250), ("RCPT a", 550), ("RCPT b", 250), ("DATA", 354)] {
            assert_eq!(settled(queue.reply(reply(code, ""))), [(command, Some(code))]);
        }
        assert_eq!(queue.reply(reply(250, "x")), Paired::Surplus(reply(250, "x"), false));
    }

    #[test]
    fn lost_commands_take_their_replies_with_them() {
        let mut queue = ReplyQueue::default();
        queue.push("MAIL");
        queue.lose_commands();
        queue.push("RCPT c");
        queue.push("DATA");
        assert_eq!(settled(queue.reply(reply(250, "mail"))), [("MAIL", Some(250))]);
        assert_eq!(queue.reply(reply(550, "lost a")), Paired::SetAside);
        assert_eq!(queue.reply(reply(250, "lost b")), Paired::SetAside);
        assert_eq!(queue.reply(reply(251, "c")), Paired::SetAside);
        assert_eq!(
            settled(queue.reply(reply(354, ""))),
            [("RCPT c", Some(251)), ("DATA", Some(354))]
        );
        assert!(!queue.is_ambiguous());
    }

    #[test]
    fn lost_replies_leave_the_front_commands_without_one() {
        let mut queue = ReplyQueue::default();
        for command in ["MAIL", "RCPT a", "RCPT b", "DATA"] {
            queue.push(command);
        }
        queue.lose_replies(8);
        assert_eq!(queue.reply(reply(550, "b")), Paired::SetAside);
        assert_eq!(
            settled(queue.reply(reply(354, ""))),
            [
                ("MAIL", None),
                ("RCPT a", None),
                ("RCPT b", Some(550)),
                ("DATA", Some(354))
            ]
        );
    }

    #[test]
    fn a_client_that_waits_has_seen_all_replies_when_it_speaks_again() {
        let mut queue = ReplyQueue::default();
        queue.push("MAIL");
        queue.lose_replies(8);
        assert_eq!(told(queue.client_speaks(false)), [("MAIL", None)]);
        queue.push("RCPT");
        assert_eq!(settled(queue.reply(reply(250, ""))), [("RCPT", Some(250))]);
    }

    #[test]
    fn a_burst_right_after_lost_commands_is_not_taken_for_a_client_that_waited() {
        let mut queue = ReplyQueue::default();
        queue.lose_commands();
        assert!(queue.client_speaks(false).is_empty());
        queue.push("RCPT c");
        assert!(queue.client_speaks(false).is_empty());
        queue.push("DATA");
        for lost in ["mail", "a"] {
            assert_eq!(queue.reply(reply(250, lost)), Paired::SetAside);
        }
        assert_eq!(queue.reply(reply(550, "c")), Paired::SetAside);
        assert_eq!(
            settled(queue.reply(reply(354, ""))),
            [("RCPT c", Some(550)), ("DATA", Some(354))]
        );
    }

    #[test]
    fn a_354_that_no_command_awaits_is_handed_back() {
        let mut queue: ReplyQueue<&str> = ReplyQueue::default();
        queue.lose_commands();
        assert_eq!(queue.reply(reply(354, "")), Paired::Surplus(reply(354, ""), true));
    }

    #[test]
    fn a_pairing_that_slipped_is_set_right_by_a_reply_that_does_not_fit() {
        let mut queue = ReplyQueue::default();
        for command in ["RCPT", "DATA", "NOOP"] {
            queue.push(command);
        }
        assert_eq!(
            settled(queue.reply(reply(354, ""))),
            [("RCPT", None), ("DATA", Some(354))]
        );
        assert!(queue.take_slipped());
        assert!(!queue.take_slipped());
        assert_eq!(settled(queue.reply(reply(250, ""))), [("NOOP", Some(250))]);
    }

    #[test]
    fn a_client_that_always_waits_and_speaks_with_a_command_unanswered_shows_that_pairing_slipped() {
        let mut queue = ReplyQueue::default();
        queue.push("LMTP content");
        let Paired::Answered(content, _) = queue.reply(reply(250, "")) else {
            panic!("not answered")
        };
        // The reader expects one more final reply, wrongly.
        queue.push_front(content);
        assert_eq!(told(queue.client_speaks(false)), [("LMTP content", None)]);
        assert!(queue.take_slipped());
    }

    #[test]
    fn the_end_settles_what_is_left() {
        let mut queue = ReplyQueue::default();
        queue.push("MAIL");
        queue.push("RCPT");
        assert_eq!(told(queue.finish()), [("MAIL", None), ("RCPT", None)]);
        queue.push("MAIL");
        queue.push("RCPT");
        queue.lose_replies(8);
        assert_eq!(queue.reply(reply(550, "")), Paired::SetAside);
        assert_eq!(told(queue.finish()), [("MAIL", None), ("RCPT", Some(550))]);
        assert!(queue.is_empty());
    }

    proptest::proptest! {
        /// Without loss, whatever the interleaving, every command gets its own reply.
        #[test]
        fn every_command_gets_its_own_reply(steps in proptest::collection::vec(proptest::bool::ANY, 0..60)) {
            let names = ["a", "b", "c", "d", "e", "f", "g"];
            let mut queue = ReplyQueue::default();
            let (mut sent, mut answered) = (0_usize, 0_usize);
            for send in steps {
                if send {
                    queue.push(names[sent % names.len()]);
                    sent += 1;
                } else if answered < sent {
                    let code = 200 + u16::try_from(answered % 400).unwrap();
                    let got = settled(queue.reply(reply(code, "")));
                    proptest::prop_assert_eq!(got, vec![(names[answered % names.len()], Some(code))]);
                    answered += 1;
                }
            }
        }
    }
}
