//! The states of an SMTP session as the server holds them, and the one table that moves them.
//!
//! An SMTP step is a command *with its reply*: only an accepted command moves the server. The table is consulted when a
//! reply has been paired with its command (see [`super::queue`]); it says where the session stands afterwards and whether
//! the server accepted something that RFC 5321 4.1.4 does not allow in that state. It never refuses: a sensor writes down
//! what it saw.

use super::command::Verb;
use crate::anomaly::Anomaly;

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The beginning was not seen, or commands were lost: any command may be in order.
    #[default]
    Unknown,
    /// No greeting by the client yet.
    Connected,
    /// Greeted, no transaction.
    Ready,
    /// MAIL was accepted.
    HasSender,
    /// At least one RCPT was accepted.
    HasRecipient,
    /// DATA was accepted, or a BDAT chunk that was not the last.
    InContent,
    /// QUIT was accepted or the server said 421.
    Closing,
}

/// First digit of a reply (RFC 5321 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyClass {
    /// 2yz.
    PositiveCompletion,
    /// 3yz.
    PositiveIntermediate,
    /// 4yz.
    TransientNegative,
    /// 5yz.
    PermanentNegative,
}

impl ReplyClass {
    /// Class of *code*, 200 to 599.
    #[must_use]
    pub const fn of(code: u16) -> Self {
        match code / 100 {
            2 => Self::PositiveCompletion,
            3 => Self::PositiveIntermediate,
            4 => Self::TransientNegative,
            _ => Self::PermanentNegative,
        }
    }

    /// 4yz or 5yz.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        matches!(self, Self::TransientNegative | Self::PermanentNegative)
    }
}

/// What a reply answers: a command, or the end of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A command line.
    Command(Verb),
    /// The final dot, or a BDAT chunk with LAST.
    Content,
}

/// Moves *state* by a command and its reply; the anomaly tells that the order was odd.
#[must_use]
pub const fn step(state: State, answered: Answered, class: ReplyClass) -> (State, Option<Anomaly>) {
    use Answered::{Command, Content};
    use ReplyClass::{PositiveCompletion as Done, PositiveIntermediate as GoOn};
    use State::{Closing, Connected, HasRecipient, HasSender, InContent, Ready, Unknown};
    const ODD: Option<Anomaly> = Some(Anomaly::SmtpCommandOutOfOrder);
    match (state, answered, class) {
        // Content that was refused leaves no transaction behind (RFC 5321 4.1.1.4).
        (_, Content, _) => (Ready, None),
        // Some servers forget the transaction when they refuse its content, some keep it.
        (_, Command(Verb::Data | Verb::Bdat), class) if class.is_negative() => (Unknown, None),
        // Refused: nothing moved.
        (state, _, class) if class.is_negative() => (state, None),
        // EHLO and RSET also end a transaction (4.1.4, 4.1.1.5); so does TLS, which forgets all (RFC 3207 4.2).
        (_, Command(Verb::Ehlo | Verb::Helo | Verb::Lhlo), Done) => (Ready, None),
        (Connected, Command(Verb::Rset), Done) => (Connected, None),
        (_, Command(Verb::Rset), Done) => (Ready, None),
        (_, Command(Verb::Starttls | Verb::XAnonymousTls | Verb::Xclient), Done) => (Connected, None),
        (Ready | Unknown, Command(Verb::Mail), Done) => (HasSender, None),
        // MAIL without a greeting is against 4.1.4 and accepted by many.
        (_, Command(Verb::Mail), Done) => (HasSender, ODD),
        (HasSender | HasRecipient | Unknown, Command(Verb::Rcpt), Done) => (HasRecipient, None),
        (_, Command(Verb::Rcpt), Done) => (HasRecipient, ODD),
        (HasRecipient | Unknown, Command(Verb::Data), GoOn) => (InContent, None),
        (_, Command(Verb::Data), GoOn) => (InContent, ODD),
        (HasRecipient | InContent | Unknown, Command(Verb::Bdat), Done) => (InContent, None),
        (_, Command(Verb::Bdat), Done) => (InContent, ODD),
        (_, Command(Verb::Quit), Done) => (Closing, None),
        (state, _, _) => (state, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steps: &[(Answered, u16)]) -> (State, usize) {
        let mut state = State::Connected;
        let mut odd = 0;
        for (answered, code) in steps {
            let (next, anomaly) = step(state, *answered, ReplyClass::of(*code));
            state = next;
            odd += usize::from(anomaly.is_some());
        }
        (state, odd)
    }

    #[test]
    fn a_plain_dialogue_walks_through_every_state_and_back() {
        use Answered::{Command, Content};
        let dialogue = [
            (Command(Verb::Ehlo), 250),
            (Command(Verb::Mail), 250),
            (Command(Verb::Rcpt), 550),
            (Command(Verb::Rcpt), 250),
            (Command(Verb::Data), 354),
            (Content, 250),
        ];
        assert_eq!(run(&dialogue[..2]), (State::HasSender, 0));
        assert_eq!(run(&dialogue[..3]), (State::HasSender, 0));
        assert_eq!(run(&dialogue[..5]), (State::InContent, 0));
        assert_eq!(run(&dialogue), (State::Ready, 0));
    }

    #[test]
    fn what_the_server_accepts_out_of_order_is_noted_and_followed() {
        use Answered::Command;
        assert_eq!(run(&[(Command(Verb::Mail), 250)]), (State::HasSender, 1));
        assert_eq!(
            run(&[(Command(Verb::Ehlo), 250), (Command(Verb::Rcpt), 250)]),
            (State::HasRecipient, 1)
        );
        assert_eq!(
            run(&[(Command(Verb::Ehlo), 250), (Command(Verb::Data), 354)]),
            (State::InContent, 1)
        );
    }

    #[test]
    fn a_refused_command_moves_nothing() {
        use Answered::Command;
        for verb in [Verb::Mail, Verb::Rcpt, Verb::Ehlo, Verb::Starttls, Verb::Rset] {
            for code in [421, 450, 500, 503, 554] {
                assert_eq!(
                    step(State::HasSender, Command(verb), ReplyClass::of(code)),
                    (State::HasSender, None)
                );
            }
        }
    }
}
