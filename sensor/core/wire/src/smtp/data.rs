//! The content that follows DATA: where it ends, and its dots unstuffed (RFC 5321 4.1.1.4, 4.5.2).
//!
//! The end of data is CR LF . CR LF and nothing else. Some servers also stop at other line ends around a lone dot, and
//! some senders use that to smuggle a second mail past a filter that does not. Such lookalikes are content here, and each
//! is an anomaly; if what follows one reads as a command, that is told too.
//!
//! A dot is *at a line start* if CR LF stands before it. Then it is either the end of data or stuffing, so it is never
//! content and need not be kept back: all the state there is, is what stood before the place where a chunk ends.
//! Text between dots is handed on as slices of the chunk.

use crate::anomaly::{Anomaly, AnomalySet};

/// The line end before a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineStart {
    CrLf,
    Lf,
    Cr,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In text, the last two octets of the content as transferred.
    Text { last: [u8; 2] },
    /// Behind a dot that followed a line end.
    Dot(LineStart),
    /// Behind such a dot and a CR.
    DotCr(LineStart),
}

/// Finds the end of data and unstuffs dots. Holds a few octets of state, no content.
#[derive(Debug)]
pub struct DataReader {
    state: State,
    watch: Option<CommandWatch>,
}

impl Default for DataReader {
    fn default() -> Self {
        Self {
            state: State::Text { last: *b"\r\n" },
            watch: None,
        }
    }
}

impl DataReader {
    /// Reads *chunk*: hands unstuffed content to *content* in order; gives the octets used if the data ended in it.
    pub fn read(&mut self, chunk: &[u8], anomalies: &mut AnomalySet, mut content: impl FnMut(&[u8])) -> Option<usize> {
        if let Some(watch) = &mut self.watch {
            if watch.look(chunk, anomalies) {
                self.watch = None;
            }
        }
        let mut at = 0;
        while at < chunk.len() {
            match self.state {
                State::Text { last } => match next_dot(chunk, at, last) {
                    None => {
                        content(&chunk[at..]);
                        self.state = State::Text {
                            last: last_two(last, &chunk[at..]),
                        };
                        return None;
                    }
                    Some((dot, LineStart::CrLf)) => {
                        content(&chunk[at..dot]);
                        self.state = State::Dot(LineStart::CrLf);
                        at = dot + 1;
                    }
                    Some((dot, start)) => {
                        content(&chunk[at..=dot]);
                        self.state = State::Dot(start);
                        at = dot + 1;
                    }
                },
                State::Dot(start) => match chunk[at] {
                    b'\r' => {
                        if start != LineStart::CrLf {
                            content(b"\r");
                        }
                        self.state = State::DotCr(start);
                        at += 1;
                    }
                    b'\n' => {
                        self.lookalike(start, Anomaly::SmtpBareLf, &chunk[at + 1..], anomalies);
                        self.state = State::Text { last: *b".\n" };
                        content(b"\n");
                        at += 1;
                    }
                    _ => self.state = State::Text { last: *b"\0." },
                },
                State::DotCr(start) => match (chunk[at], start) {
                    (b'\n', LineStart::CrLf) => {
                        *self = Self::default();
                        return Some(at + 1);
                    }
                    (b'\n', _) => {
                        self.lookalike(start, Anomaly::SmtpBareLf, &chunk[at + 1..], anomalies);
                        self.state = State::Text { last: *b"\r\n" };
                        content(b"\n");
                        at += 1;
                    }
                    _ => {
                        if start == LineStart::CrLf {
                            content(b"\r");
                        }
                        self.lookalike(start, Anomaly::SmtpBareCr, &chunk[at..], anomalies);
                        self.state = State::Text { last: *b".\r" };
                    }
                },
            }
        }
        None
    }

    /// Octets were lost: what stands before the next octet is unknown.
    pub fn gap(&mut self) {
        self.state = State::Text { last: *b"\0\0" };
        self.watch = None;
    }

    fn lookalike(&mut self, start: LineStart, end: Anomaly, rest: &[u8], anomalies: &mut AnomalySet) {
        anomalies.insert(Anomaly::SmtpSmuggledEndOfData);
        match start {
            LineStart::Lf => anomalies.insert(Anomaly::SmtpBareLf),
            LineStart::Cr => anomalies.insert(Anomaly::SmtpBareCr),
            LineStart::CrLf => anomalies.insert(end),
        }
        let mut watch = CommandWatch::default();
        self.watch = if watch.look(rest, anomalies) { None } else { Some(watch) };
    }
}

fn last_two(before: [u8; 2], text: &[u8]) -> [u8; 2] {
    match text {
        [] => before,
        [only] => [before[1], *only],
        [.., first, second] => [*first, *second],
    }
}

/// The first dot of *chunk* at or after *at* that stands behind a line end; *last* are the two octets before *at*.
///
/// It goes from dot to dot: attachments in base64, most of the octets of all mail, have none.
fn next_dot(chunk: &[u8], at: usize, last: [u8; 2]) -> Option<(usize, LineStart)> {
    memchr::memchr_iter(b'.', &chunk[at..]).find_map(|place| {
        let before = match place {
            0 => last,
            _ => last_two(last, &chunk[at..at + place]),
        };
        let start = match before {
            [b'\r', b'\n'] => LineStart::CrLf,
            [_, b'\n'] => LineStart::Lf,
            [_, b'\r'] => LineStart::Cr,
            _ => return None,
        };
        Some((at + place, start))
    })
}

/// Looks whether what follows a false end of data reads as an SMTP command.
#[derive(Debug, Default)]
struct CommandWatch {
    seen: [u8; 10],
    length: usize,
}

impl CommandWatch {
    /// Takes octets until there are enough to tell; true when told.
    fn look(&mut self, octets: &[u8], anomalies: &mut AnomalySet) -> bool {
        let taken = octets.len().min(self.seen.len() - self.length);
        self.seen[self.length..self.length + taken].copy_from_slice(&octets[..taken]);
        self.length += taken;
        let seen = &self.seen[..self.length];
        let is_command = [
            &b"MAIL FROM:"[..],
            b"EHLO ",
            b"HELO ",
            b"LHLO ",
            b"RSET\r\n",
            b"QUIT\r\n",
            b"RCPT TO:",
            b"DATA\r\n",
            b"BDAT ",
        ]
        .iter()
        .any(|start| super::command::starts_with(seen, start));
        if is_command {
            anomalies.insert(Anomaly::SmtpCommandAfterSmuggledEnd);
        }
        is_command || self.length == self.seen.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Vec<u8>, Option<usize>, AnomalySet);

    fn read(chunks: &[&[u8]]) -> Read {
        let mut reader = DataReader::default();
        let mut anomalies = AnomalySet::default();
        let mut out = Vec::new();
        let mut before = 0;
        for chunk in chunks {
            if let Some(used) = reader.read(chunk, &mut anomalies, |content| out.extend_from_slice(content)) {
                return (out, Some(before + used), anomalies);
            }
            before += chunk.len();
        }
        (out, None, anomalies)
    }

    fn check(input: &[u8], content: &[u8], end: Option<usize>) -> AnomalySet {
        let whole = read(&[input]);
        assert_eq!(
            (whole.0.as_slice(), whole.1),
            (content, end),
            "{:?}",
            String::from_utf8_lossy(input)
        );
        let single: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(
            read(&single),
            whole,
            "byte by byte: {:?}",
            String::from_utf8_lossy(input)
        );
        if end.is_some() {
            let mut tail = input.to_vec();
            tail.extend_from_slice(b"MAIL FROM:<x>\r\n.\r\n");
            assert_eq!(read(&[&tail]), whole, "with a tail");
        }
        whole.2
    }

    /// The plainly right reader: line by line on CRLF.
    fn dumb(input: &[u8]) -> (Vec<u8>, Option<usize>) {
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            let line_end = (at..input.len())
                .find(|i| input[*i..].starts_with(b"\r\n"))
                .map(|i| i + 2);
            let line = &input[at..line_end.unwrap_or(input.len())];
            if line == b".\r\n" {
                return (out, line_end);
            }
            out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            match line_end {
                None => return (out, None),
                Some(end) => at = end,
            }
        }
    }

    #[test]
    fn content_ends_at_crlf_dot_crlf_and_dots_are_unstuffed() {
        for (input, content, end) in [
            (&b"a\r\n.\r\n"[..], &b"a\r\n"[..], Some(6)),
            (b".\r\n", b"", Some(3)),
            (b"..\r\n.\r\n", b".\r\n", Some(7)),
            (b"..a\r\n...\r\n.\r\n", b".a\r\n..\r\n", Some(13)),
            (b"a.\r\n.b\r\n.\r\n", b"a.\r\nb\r\n", Some(11)),
            (b"a\r\n\r\n.\r\n", b"a\r\n\r\n", Some(8)),
            (b"no end", b"no end", None),
        ] {
            assert!(check(input, content, end).is_empty());
        }
    }

    #[test]
    fn every_lookalike_of_the_end_is_content_and_an_anomaly() {
        for lookalike in [
            "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\r.\n", "\n.\r",
        ] {
            let input = format!("a{lookalike}MAIL FROM:<x>\r\n.\r\n");
            let anomalies = read(&[input.as_bytes()]).2;
            assert!(anomalies.contains(Anomaly::SmtpSmuggledEndOfData), "{lookalike:?}");
            assert!(
                anomalies.contains(Anomaly::SmtpCommandAfterSmuggledEnd),
                "{lookalike:?}"
            );
            let single: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
            assert_eq!(read(&single), read(&[input.as_bytes()]), "{lookalike:?}");
            assert_eq!(read(&[input.as_bytes()]).1, Some(input.len()), "{lookalike:?}");
        }
    }

    #[test]
    fn a_dot_inside_text_is_no_lookalike() {
        assert!(check(b"a. b\r\n .\r\n.\r\n", b"a. b\r\n .\r\n", Some(13)).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_content_is_read_as_the_dumb_reader_reads_it(
            pieces in proptest::collection::vec(proptest::sample::select(vec!["\r\n", "\r", "\n", ".", "..", "a", "MAIL FROM:", "\r\n."]), 0..40),
            cuts in proptest::collection::vec(0_usize..80, 0..6),
        ) {
            let input = pieces.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
            let (content, end, anomalies) = read(&chunks);
            let (mut expected, expected_end) = dumb(&input);
            if expected_end.is_none() {
                // A CR behind a held dot is still undecided when the input stops.
                let undecided = expected.len().saturating_sub(content.len());
                proptest::prop_assert!(undecided <= 1);
                expected.truncate(content.len());
            }
            proptest::prop_assert_eq!((content, end), (expected, expected_end));
            proptest::prop_assert_eq!(anomalies, read(&[&input]).2);
        }
    }
}
