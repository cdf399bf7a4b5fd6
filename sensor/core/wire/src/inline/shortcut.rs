//! The plain part of a relayed dialogue: what passes as it came.
//!
//! Most of what a relay passes it neither changes nor answers: the commands of an envelope, the replies to them, and content in which
//! no dot stands where a lenient server could stumble. A [`Shortcut`] follows such a dialogue and says of each piece of it whether it
//! may pass whole. It makes no octets and keeps none, and a piece that asks for more is refused whole: a command that the relay has a
//! part in, a line or a reply that goes on in the next piece, an end of data with more behind it, a reply that nothing asked for.
//! Nothing of a refused piece was taken, so its caller goes on from where the shortcut [stands](Shortcut::stand), by the long way,
//! and may come back where no reply is awaited.
//!
//! ```text
//! Commands --DATA--> DataAsked --354--> Content --dot, if the caller says so--> Commands
//!    ^                   |
//!    +----other reply----+
//! ```

use std::collections::VecDeque;

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};

/// Replies that may be awaited: who sends more commands without waiting goes the long way, which has a bound of its own.
const AWAITED: usize = 256;

/// Of a line of a reply, with its end: eight times what RFC 5321 4.5.3.1.5 allows. A longer one is cut on the long way.
const REPLY_LINE_OCTETS: usize = 4_096;

/// Of all lines of a piece of replies; for the same reason.
const REPLY_OCTETS: usize = 65_536;

/// What a reply is awaited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A command whose reply changes nothing.
    Other,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// RSET.
    Reset,
    /// DATA.
    Data,
    /// The dot that ends content.
    Dot,
}

/// What the client's next octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Commands.
    Commands,
    /// None are due: the reply to DATA is.
    DataAsked,
    /// Content, behind these last octets of a line's end.
    Content(LineEnd),
}

/// What stands before the next octet of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// CR LF, as behind the line of DATA.
    CrLf,
    /// LF without CR.
    Lf,
    /// No end of a line.
    Amid,
}

impl LineEnd {
    /// What these octets end with. A CR alone ends no line, and nothing that passed ends with one.
    #[must_use]
    pub const fn of(octets: &[u8]) -> Self {
        match octets {
            [.., b'\r', b'\n'] => Self::CrLf,
            [.., b'\n'] => Self::Lf,
            _ => Self::Amid,
        }
    }
}

/// Where the dialogue stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// What the client's next octets are.
    pub stage: Stage,
    /// What replies are awaited to, the next one first.
    pub awaited: VecDeque<Asked>,
    /// The mail that was begun.
    pub mail: Envelope,
}

/// How far the envelope of a mail has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// A reverse-path was accepted and its mail is not over.
    pub is_open: bool,
    /// Forward-paths of it that were accepted.
    pub recipients: usize,
}

/// What becomes of a piece of the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It is for the long way; nothing was taken of it.
    Refused,
    /// It passes.
    Whole,
    /// So does its content; its last three octets, the dot that ends it, wait for [`Shortcut::end`].
    UpToDot,
}

/// Follows one session.
#[derive(Clone, Debug)]
pub struct Shortcut {
    stand: Stand,
    is_lmtp: bool,
    passes_content: bool,
}

impl Shortcut {
    /// A session that stands where no reply is awaited: at commands, or within content. In LMTP each accepted recipient has a reply
    /// to the dot (RFC 2033 4.2). All content goes the long way unless it *passes*.
    #[must_use]
    pub const fn new(stage: Stage, mail: Envelope, is_lmtp: bool, passes_content: bool) -> Self {
        let stand = Stand {
            stage,
            awaited: VecDeque::new(),
            mail,
        };
        Self {
            stand,
            is_lmtp,
            passes_content,
        }
    }

    /// Where the dialogue stands.
    #[must_use]
    pub const fn stand(&self) -> &Stand {
        &self.stand
    }

    /// The next octets of the client.
    pub fn client(&mut self, octets: &[u8]) -> Passage {
        match self.stand.stage {
            Stage::Commands => self.commands(octets),
            Stage::Content(before) if self.passes_content => self.content(before, octets),
            Stage::Content(_) | Stage::DataAsked => Passage::Refused,
        }
    }

    /// The dot passes, behind the content: its reply is awaited.
    pub fn end(&mut self) {
        let dots = if self.is_lmtp {
            self.stand.mail.recipients.max(1)
        } else {
            1
        };
        self.stand.awaited.extend(std::iter::repeat_n(Asked::Dot, dots));
        self.stand.stage = Stage::Commands;
    }

    /// The next octets of the server: if they pass, how many dots they answered with a positive reply.
    pub fn server(&mut self, octets: &[u8]) -> Option<usize> {
        if octets.len() > REPLY_OCTETS || matches!(self.stand.stage, Stage::Content(_)) {
            return None;
        }
        let mut due = self.stand.awaited.iter();
        let may_pass = |code| matches!((due.next(), code), (Some(asked), Some(code)) if may_answer(*asked, code));
        if !replies(octets).all(may_pass) {
            return None;
        }
        let mut taken = 0;
        for code in replies(octets).flatten() {
            taken += self.reply(code);
        }
        Some(taken)
    }

    // ---- the client's

    fn commands(&mut self, octets: &[u8]) -> Passage {
        let awaited = self.stand.awaited.len();
        let mut rest = octets;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(end + 1);
            let Some(asked) = plain_command(line) else { break };
            if self.stand.awaited.len() >= AWAITED || (asked == Asked::Data && !behind.is_empty()) {
                break;
            }
            self.stand.awaited.push_back(asked);
            rest = behind;
        }
        if !rest.is_empty() {
            self.stand.awaited.truncate(awaited);
            return Passage::Refused;
        }
        if self.stand.awaited.back() == Some(&Asked::Data) {
            self.stand.stage = Stage::DataAsked;
        }
        Passage::Whole
    }

    fn content(&mut self, before: LineEnd, octets: &[u8]) -> Passage {
        match survey(before, octets) {
            Content::Odd => Passage::Refused,
            Content::Ends => {
                self.stand.stage = Stage::Content(LineEnd::CrLf);
                Passage::UpToDot
            }
            Content::GoesOn(end) => {
                self.stand.stage = Stage::Content(end);
                Passage::Whole
            }
        }
    }

    // ---- the server's

    /// Takes a reply that may answer what it is awaited to; how many dots it accepts.
    fn reply(&mut self, code: u16) -> usize {
        let is_positive = (200..300).contains(&code);
        let Stand { stage, awaited, mail } = &mut self.stand;
        match awaited.pop_front() {
            Some(Asked::Mail) if is_positive => {
                *mail = Envelope {
                    is_open: true,
                    recipients: 0,
                };
            }
            Some(Asked::Rcpt) if is_positive => mail.recipients += 1,
            Some(Asked::Reset) if is_positive => *mail = Envelope::default(),
            Some(Asked::Data) if code == 354 => *stage = Stage::Content(LineEnd::CrLf),
            Some(Asked::Data) => *stage = Stage::Commands,
            Some(Asked::Dot) => {
                if !awaited.contains(&Asked::Dot) {
                    *mail = Envelope::default();
                }
                return usize::from(is_positive);
            }
            _ => {}
        }
        0
    }
}

/// What a line asks that the relay has no part in; none of others, and of one that is not whole. White space before a verb, which
/// some servers pass over, makes it another.
fn plain_command(line: &[u8]) -> Option<Asked> {
    let ends = line.ends_with(b"\r\n") && memchr(0, line).is_none();
    if !ends || !line.get(4)?.is_ascii_whitespace() {
        return None;
    }
    let verb: [u8; 4] = line.get(..4)?.try_into().ok()?;
    match &verb.map(|octet| octet.to_ascii_uppercase()) {
        b"MAIL" => Some(Asked::Mail),
        b"RCPT" => Some(Asked::Rcpt),
        b"RSET" => Some(Asked::Reset),
        b"DATA" => Some(Asked::Data),
        b"NOOP" => Some(Asked::Other),
        _ => None,
    }
}

enum Content {
    /// For the long way.
    Odd,
    GoesOn(LineEnd),
    /// With the piece.
    Ends,
}

/// Looks at each dot behind a CR or LF: it is stuffed, or it is the last line, or the piece is odd.
fn survey(before: LineEnd, octets: &[u8]) -> Content {
    if octets.ends_with(b"\r") || Finder::new(b"\r.").find(octets).is_some() {
        return Content::Odd;
    }
    let first = octets.starts_with(b".").then_some((before, 0));
    let later = Finder::new(b"\n.");
    let later = later.find_iter(octets).map(|at| (LineEnd::of(&octets[..=at]), at + 1));
    for (end, dot) in first.into_iter().chain(later) {
        match (end, &octets[dot + 1..]) {
            (LineEnd::Amid, _) => {}
            (LineEnd::CrLf, b"\r\n") => return Content::Ends,
            (LineEnd::Lf, _) | (LineEnd::CrLf, [] | [b'\r' | b'\n', ..]) => return Content::Odd,
            (LineEnd::CrLf, _) => {}
        }
    }
    Content::GoesOn(if octets.is_empty() { before } else { LineEnd::of(octets) })
}

/// RFC 5321 4.2.1: of what is asked here, DATA alone may be told to go on.
const fn may_answer(asked: Asked, code: u16) -> bool {
    code / 100 != 3 || (matches!(asked, Asked::Data) && code == 354)
}

/// The code of each reply; none of one that is not whole, not plain, or none at all.
fn replies(octets: &[u8]) -> impl Iterator<Item = Option<u16>> + '_ {
    let mut start = 0;
    let mut open: Option<u16> = None;
    let mut ends = memchr_iter(b'\n', octets);
    std::iter::from_fn(move || loop {
        let Some(end) = ends.next() else {
            let is_whole = start == octets.len() && open.is_none();
            (start, open) = (octets.len(), None);
            return (!is_whole).then_some(None);
        };
        let line = &octets[start..=end];
        start = end + 1;
        let Some((code, is_last)) = reply_line(line).filter(|(code, _)| open.is_none_or(|open| open == *code)) else {
            return Some(None);
        };
        if is_last {
            open = None;
            return Some(Some(code));
        }
        open = Some(code);
    })
}

/// The code of a line of a reply, and whether it is the last one (RFC 5321 4.2).
fn reply_line(line: &[u8]) -> Option<(u16, bool)> {
    let text = line.strip_suffix(b"\r\n")?;
    let [first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9', rest @ ..] = text else {
        return None;
    };
    if line.len() > REPLY_LINE_OCTETS || text.ends_with(b"\r") {
        return None;
    }
    let digit = |octet: &u8| u16::from(octet - b'0');
    let code = digit(first) * 100 + digit(second) * 10 + digit(third);
    match rest.first() {
        None | Some(b' ') => Some((code, true)),
        Some(b'-') => Some((code, false)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at_rest() -> Shortcut {
        Shortcut::new(Stage::Commands, Envelope::default(), false, true)
    }

    fn in_content() -> Shortcut {
        let mut shortcut = at_rest();
        assert_eq!(shortcut.client(b"MAIL FROM:<a@b>\r\n"), Passage::Whole);
        assert_eq!(shortcut.client(b"RCPT TO:<c@d>\r\nDATA\r\n"), Passage::Whole);
        assert_eq!(shortcut.server(b"250 Ok\r\n"), Some(0));
        assert_eq!(
            shortcut.server(b"250-2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n"),
            Some(0)
        );
        shortcut
    }

    #[test]
    fn a_mail_passes_and_its_dot_waits_to_be_told() {
        let mut shortcut = in_content();
        assert!(shortcut.stand().mail.is_open);
        assert_eq!(shortcut.client(b"Subject: a\r\n\r\n..stuffed\r\n"), Passage::Whole);
        assert_eq!(shortcut.client(b"more\r\n.\r\n"), Passage::UpToDot);
        assert_eq!(shortcut.stand().stage, Stage::Content(LineEnd::CrLf));
        shortcut.end();
        assert_eq!(shortcut.stand().awaited, [Asked::Dot]);
        assert_eq!(shortcut.server(b"250 2.0.0 Taken\r\n"), Some(1));
        assert_eq!(*shortcut.stand(), *at_rest().stand());
    }

    #[test]
    fn a_dot_in_lmtp_has_a_reply_for_each_recipient() {
        let two = Envelope {
            is_open: true,
            recipients: 2,
        };
        let mut shortcut = Shortcut::new(Stage::Commands, two, true, true);
        assert_eq!(
            shortcut.client(b"RCPT TO:<e@f>\r\nRCPT TO:<g@h>\r\nDATA\r\n"),
            Passage::Whole
        );
        assert_eq!(shortcut.server(b"250 Ok\r\n550 No\r\n354 Go on\r\n"), Some(0));
        assert_eq!(shortcut.client(b".\r\n"), Passage::UpToDot);
        shortcut.end();
        assert_eq!(shortcut.stand().awaited.len(), 3);
        assert_eq!(shortcut.server(b"250 Ok\r\n452 Full\r\n"), Some(1));
        assert!(shortcut.stand().mail.is_open);
        assert_eq!(shortcut.server(b"250 Ok\r\n"), Some(1));
        assert!(!shortcut.stand().mail.is_open);
    }

    #[test]
    fn commands_pass_that_the_relay_has_no_part_in() {
        let cases: &[(&[u8], Passage)] = &[
            (b"MAIL FROM:<a@b> SIZE=1\r\n", Passage::Whole),
            (b"mail\tfrom:<a@b>\r\nNoop\r\nRSET\r\n", Passage::Whole),
            (b"RCPT TO:<c@d>\r\nDATA\r\n", Passage::Whole),
            (b"", Passage::Whole),
            (b"DATA\r\nSubject: early\r\n", Passage::Refused),
            (b"MAIL FROM:<a@b>\n", Passage::Refused),
            (b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>", Passage::Refused),
            (b"MAIL FROM:<a@b>\r\nQUIT\r\n", Passage::Refused),
            (b"MAIL FROM:<a\0@b>\r\n", Passage::Refused),
            (b" DATA\r\n", Passage::Refused),
            (b"DATAX\r\n", Passage::Refused),
            (b"BDAT 3\r\n", Passage::Refused),
            (b"EHLO x\r\n", Passage::Refused),
            (b"AUTH LOGIN\r\n", Passage::Refused),
            (b"STARTTLS\r\n", Passage::Refused),
            (b"XCLIENT ADDR=192.0.2.1\r\n", Passage::Refused),
            (b"DAT\r\n", Passage::Refused),
            (b"\r\n", Passage::Refused),
            (b"\n", Passage::Refused),
            (b"\xff\xfe", Passage::Refused),
        ];
        for (octets, passage) in cases {
            let mut shortcut = at_rest();
            assert_eq!(shortcut.client(octets), *passage, "{octets:?}");
            if *passage == Passage::Refused {
                assert_eq!(shortcut.stand(), at_rest().stand(), "{octets:?}");
            }
        }
    }

    #[test]
    fn replies_pass_that_are_whole_and_were_asked_for() {
        let cases: &[(&[u8], Option<usize>)] = &[
            (b"250 Ok\r\n", Some(0)),
            (b"250\r\n", Some(0)),
            (b"550-5.1.1 No\r\n550 5.1.1 such user\r\n", Some(0)),
            (b"250 Ok\r\n250 Ok\r\n", Some(0)),
            (b"421 Bye\r\n", Some(0)),
            (b"", Some(0)),
            (b"250 Ok\r\n250 Ok\r\n250 Ok\r\n", None), // one too many
            (b"250 O", None),
            (b"250 Ok\r\n2", None),
            (b"250-Ok\r\n", None),
            (b"250-Ok\r\n251 Ok\r\n", None),
            (b"250 Ok\n", None),
            (b"250 Ok\r\r\n", None),
            (b"354 Go on\r\n", None),
            (b"199 x\r\n", None),
            (b"600 x\r\n", None),
            (b"25x Ok\r\n", None),
            (b"250+Ok\r\n", None),
            (b"\r\n", None),
        ];
        for (octets, passed) in cases {
            let mut shortcut = at_rest();
            shortcut.client(b"MAIL FROM:<a@b>\r\nNOOP\r\n");
            let before = shortcut.stand().clone();
            assert_eq!(shortcut.server(octets), *passed, "{octets:?}");
            if passed.is_none() {
                assert_eq!(*shortcut.stand(), before, "{octets:?}");
            }
        }
        let mut shortcut = at_rest();
        shortcut.client(b"NOOP\r\n");
        let long = [b"250 ".to_vec(), vec![b'x'; REPLY_LINE_OCTETS], b"\r\n".to_vec()].concat();
        assert_eq!(shortcut.server(&long), None);
    }

    #[test]
    fn content_passes_whose_dots_nobody_can_misread() {
        let cases: &[(&[u8], Passage)] = &[
            (b"a\r\n", Passage::Whole),
            (b"a\nb\rc", Passage::Whole),
            (b"a.\r\n..\r\n.a\r\n", Passage::Whole),
            (b".\r\n", Passage::UpToDot),
            (b"a\r\n.\r\n", Passage::UpToDot),
            (b"a\n\r\n.\r\n", Passage::UpToDot),
            (b"a\r\n.\r\nQUIT\r\n", Passage::Refused),
            (b"a\r", Passage::Refused), // what it means the next octet tells
            (b"a\r\n.", Passage::Refused),
            (b".", Passage::Refused),
            (b"a\r\n.\r", Passage::Refused),
            (b"a\n.\n", Passage::Refused),
            (b"a\n.\r\n", Passage::Refused),
            (b"a\r.\r\n", Passage::Refused),
            (b"a\r\n.\nb", Passage::Refused),
            (b"a\r\n.\rb", Passage::Refused),
        ];
        for (octets, passage) in cases {
            let mut shortcut = in_content();
            assert_eq!(shortcut.client(octets), *passage, "{octets:?}");
            if *passage == Passage::Refused {
                assert_eq!(shortcut.stand(), in_content().stand(), "{octets:?}");
            }
        }
    }

    #[test]
    fn content_goes_the_long_way_where_it_is_not_to_pass() {
        let mut shortcut = Shortcut::new(Stage::Commands, Envelope::default(), false, false);
        shortcut.client(b"DATA\r\n");
        assert_eq!(shortcut.client(b"early\r\n"), Passage::Refused);
        shortcut.server(b"354 Go on\r\n");
        assert_eq!(shortcut.client(b"a\r\n"), Passage::Refused);
        assert_eq!(shortcut.stand().stage, Stage::Content(LineEnd::CrLf));
    }

    #[test]
    fn it_may_begin_amid_content() {
        for (before, content) in [(LineEnd::CrLf, b".\r\n".as_slice()), (LineEnd::Amid, b"\r\n.\r\n")] {
            let mut shortcut = Shortcut::new(Stage::Content(before), Envelope::default(), false, true);
            assert_eq!(shortcut.client(content), Passage::UpToDot);
        }
        for (before, content) in [(LineEnd::Lf, b".\r\n"), (LineEnd::Lf, b"..a")] {
            let mut shortcut = Shortcut::new(Stage::Content(before), Envelope::default(), false, true);
            assert_eq!(shortcut.client(content), Passage::Refused);
        }
    }

    #[test]
    fn a_server_that_speaks_amid_content_is_refused() {
        assert_eq!(in_content().server(b"421 Bye\r\n"), None);
    }

    #[test]
    fn no_more_than_a_bound_is_awaited() {
        let mut shortcut = at_rest();
        assert_eq!(shortcut.client(&b"NOOP\r\n".repeat(AWAITED)), Passage::Whole);
        assert_eq!(shortcut.client(b"NOOP\r\n"), Passage::Refused);
        assert_eq!(shortcut.stand().awaited.len(), AWAITED);
    }

    /// Plainly: where content ends, if it does, and whether a dot before that could be misread.
    fn read(content: &[u8]) -> (Option<usize>, bool) {
        let all = [b"\r\n", content].concat();
        let mut is_odd = false;
        for at in 0..all.len() {
            let (before, behind) = all.split_at(at);
            if behind.starts_with(b".\r\n") && before.ends_with(b"\r\n") {
                return (Some(at - 2), is_odd);
            }
            let is_bare = (before.ends_with(b"\n") && !before.ends_with(b"\r\n")) || before.ends_with(b"\r");
            let is_alone = before.ends_with(b"\r\n") && matches!(behind.get(1), Some(b'\n' | b'\r'));
            is_odd |= behind.starts_with(b".") && (is_bare || is_alone);
        }
        (None, is_odd)
    }

    proptest! {
        #[test]
        fn what_passes_is_plain_and_ends_where_it_ends(content in "[a.\r\n]{0,24}", cut in 1_usize..8) {
            let mut shortcut = in_content();
            let mut passed = 0;
            let mut ended = None;
            for piece in content.as_bytes().chunks(cut) {
                match shortcut.client(piece) {
                    Passage::Refused => break,
                    Passage::Whole => passed += piece.len(),
                    Passage::UpToDot => {
                        ended = Some(passed + piece.len() - 3);
                        passed += piece.len();
                        break;
                    }
                }
            }
            prop_assert_eq!(read(&content.as_bytes()[..passed]), (ended, false));
        }

        #[test]
        fn plain_content_passes_however_long_its_lines(lines in prop::collection::vec("([a-z][a-z.]{0,8})?", 0..12)) {
            let content: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            prop_assert_eq!(in_content().client(content.as_bytes()), Passage::Whole);
            prop_assert_eq!(in_content().client(format!("{content}.\r\n").as_bytes()), Passage::UpToDot);
        }

        #[test]
        fn a_refused_piece_leaves_no_trace(turns in prop::collection::vec((any::<bool>(), "(MAIL |DATA|RSET|250 |354 |\\.|\r\n|\n|a){0,6}"), 0..12)) {
            let mut shortcut = at_rest();
            for (by_client, octets) in turns {
                let before = shortcut.stand().clone();
                let is_refused = if by_client {
                    let passage = shortcut.client(octets.as_bytes());
                    if passage == Passage::UpToDot { shortcut.end(); }
                    passage == Passage::Refused
                } else {
                    shortcut.server(octets.as_bytes()).is_none()
                };
                prop_assert!(!is_refused || *shortcut.stand() == before);
                prop_assert!(shortcut.stand().awaited.len() <= AWAITED);
            }
        }
    }
}
