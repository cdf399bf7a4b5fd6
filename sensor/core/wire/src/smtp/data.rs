//! The content that follows DATA: where it ends, and its dots unstuffed (RFC 5321 4.1.1.4, 4.5.2).
//!
//! The end of data is CR LF . CR LF and nothing else. Some servers also stop at other line ends around a lone dot, and
//! some senders use that to smuggle a second mail past a filter that does not. Such lookalikes are content here, and each
//! is an anomaly. The reading stops behind one, since what follows may be commands to a server that was fooled: who reads
//! the dialogue ([`super::suspect`]) finds out and goes on. Where what follows can't be a command there is nothing to find out.
//!
//! A dot is *at a line start* if CR LF stands before it. Then it is either the end of data or stuffing, so it is never
//! content and need not be kept back: all the state there is, is what stood before the place where a chunk ends.
//! Each chunk is surveyed, piece by piece, in a loop that the compiler turns into vector instructions: does it hold such a dot at all, a
//! line end that is not CRLF, a NUL? Nearly every piece holds none and is handed on whole; the others are taken apart.

use std::ops::Range;

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

/// Why the reading stopped inside a chunk, with the octets of the chunk that were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// CR LF . CR LF: the content is over.
    End(usize),
    /// A false end of data: content goes on here, if the server is not fooled.
    Lookalike(usize),
}

impl Stop {
    const fn used(self) -> usize {
        match self {
            Self::End(used) | Self::Lookalike(used) => used,
        }
    }
}

/// Finds the end of data and unstuffs dots. Holds a few octets of state, no content.
#[derive(Clone, Debug)]
pub struct DataReader {
    state: State,
}

impl Default for DataReader {
    fn default() -> Self {
        Self {
            state: State::Text { last: *b"\r\n" },
        }
    }
}

impl DataReader {
    /// Reads *chunk*: hands unstuffed content to *content* in order. Stops behind the end of data, and behind a lookalike where
    /// what follows *may_be_command*, which is asked of the rest of the chunk, empty or not.
    pub fn read(
        &mut self,
        chunk: &[u8],
        anomalies: &mut AnomalySet,
        may_be_command: impl Fn(&[u8]) -> bool,
        mut content: impl FnMut(&[u8]),
    ) -> Option<Stop> {
        let mut start = 0;
        while start < chunk.len() {
            let end = chunk.len().min(start + SURVEYED_OCTETS);
            let stop = self.read_piece(chunk, start..end, anomalies, &may_be_command, &mut content);
            if stop.is_some() {
                return stop;
            }
            start = end;
        }
        None
    }

    fn read_piece(
        &mut self,
        chunk: &[u8],
        piece: Range<usize>,
        anomalies: &mut AnomalySet,
        may_be_command: impl Fn(&[u8]) -> bool,
        mut content: impl FnMut(&[u8]),
    ) -> Option<Stop> {
        let before = self.last_octet();
        let octets = &chunk[piece.clone()];
        let survey = Survey::of(before, octets);
        let stop = match self.state {
            State::Text { last } if !survey.dot => {
                content(octets);
                self.state = State::Text {
                    last: last_two(last, octets),
                };
                None
            }
            _ => self.take_apart(chunk, piece.clone(), anomalies, may_be_command, content),
        };
        if survey.is_odd() {
            // What follows the end of data is no content.
            let of_content = |stop: Stop| Survey::of(before, &chunk[piece.start..stop.used()]);
            stop.map_or(survey, of_content).note(anomalies);
        }
        stop
    }

    fn last_octet(&self) -> u8 {
        match self.state {
            State::Text { last } => last[1],
            State::Dot(_) => b'.',
            State::DotCr(_) => b'\r',
        }
    }

    fn take_apart(
        &mut self,
        chunk: &[u8],
        piece: Range<usize>,
        anomalies: &mut AnomalySet,
        may_be_command: impl Fn(&[u8]) -> bool,
        mut content: impl FnMut(&[u8]),
    ) -> Option<Stop> {
        let Range { start: mut at, end } = piece;
        // Where the content begins that was not handed on yet.
        let mut from = at;
        while at < end {
            let is_lookalike = match self.state {
                State::Text { last } => {
                    let found = next_dot(&chunk[..end], at, last);
                    let Some((dot, start)) = found else {
                        self.state = State::Text {
                            last: last_two(last, &chunk[at..end]),
                        };
                        break;
                    };
                    self.state = State::Dot(start);
                    at = dot + 1;
                    if start == LineStart::CrLf {
                        content(&chunk[from..dot]);
                        from = at;
                    }
                    false
                }
                State::Dot(start) => match chunk[at] {
                    b'\r' => {
                        self.state = State::DotCr(start);
                        at += 1;
                        false
                    }
                    b'\n' => {
                        note_lookalike(start, Anomaly::SmtpBareLf, anomalies);
                        self.state = State::Text { last: *b".\n" };
                        at += 1;
                        true
                    }
                    _ => {
                        self.state = State::Text { last: *b"\0." };
                        false
                    }
                },
                State::DotCr(start) => match (chunk[at], start) {
                    (b'\n', LineStart::CrLf) => {
                        *self = Self::default();
                        return Some(Stop::End(at + 1));
                    }
                    (b'\n', _) => {
                        note_lookalike(start, Anomaly::SmtpBareLf, anomalies);
                        self.state = State::Text { last: *b"\r\n" };
                        at += 1;
                        true
                    }
                    _ => {
                        if start == LineStart::CrLf && at == piece.start {
                            // It was kept back with the piece before.
                            content(b"\r");
                        }
                        note_lookalike(start, Anomaly::SmtpBareCr, anomalies);
                        self.state = State::Text { last: *b".\r" };
                        true
                    }
                },
            };
            if is_lookalike && may_be_command(&chunk[at..]) {
                content(&chunk[from..at]);
                return Some(Stop::Lookalike(at));
            }
        }
        // A CR that may belong to the end of data is kept back.
        let kept_back = from < end && matches!(self.state, State::DotCr(LineStart::CrLf));
        content(&chunk[from..end - usize::from(kept_back)]);
        None
    }

    /// Octets were lost: what stands before the next octet is unknown.
    pub fn gap(&mut self) {
        self.state = State::Text { last: *b"\0\0" };
    }
}

fn note_lookalike(start: LineStart, end: Anomaly, anomalies: &mut AnomalySet) {
    anomalies.insert(Anomaly::SmtpSmuggledEndOfData);
    match start {
        LineStart::Lf => anomalies.insert(Anomaly::SmtpBareLf),
        LineStart::Cr => anomalies.insert(Anomaly::SmtpBareCr),
        LineStart::CrLf => anomalies.insert(end),
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
fn next_dot(chunk: &[u8], at: usize, last: [u8; 2]) -> Option<(usize, LineStart)> {
    memchr::memchr_iter(b'.', &chunk[at..])
        .map(|dot| dot + at)
        .find_map(|dot| {
            let start = match last_two(last, &chunk[at..dot]) {
                [b'\r', b'\n'] => LineStart::CrLf,
                [_, b'\n'] => LineStart::Lf,
                [_, b'\r'] => LineStart::Cr,
                _ => return None,
            };
            Some((dot, start))
        })
}

/// What one look over a chunk tells.
#[derive(Clone, Copy, Debug, Default)]
struct Survey {
    dot: bool,
    bare_lf: bool,
    bare_cr: bool,
    nul: bool,
}

impl Survey {
    /// Looks over *chunk*, which follows the octet *before*. A CR at its very end is judged with the next chunk.
    fn of(before: u8, chunk: &[u8]) -> Self {
        let Some(first) = chunk.first() else {
            return Self::default();
        };
        let mut octets = chunk[1..].chunks_exact(LANES);
        let mut previous = chunk[..chunk.len() - 1].chunks_exact(LANES);
        let mut found = Lanes::default();
        for (octets, previous) in octets.by_ref().zip(previous.by_ref()) {
            for lane in 0..LANES {
                found.look(lane, previous[lane], octets[lane]);
            }
        }
        found.look(0, before, *first);
        for (octet, previous) in octets.remainder().iter().zip(previous.remainder()) {
            found.look(0, *previous, *octet);
        }
        let any = |lanes: [u8; LANES]| lanes.iter().any(|lane| *lane != 0);
        Self {
            dot: any(found.dot),
            bare_lf: any(found.bare_lf),
            bare_cr: any(found.bare_cr),
            nul: any(found.nul),
        }
    }

    const fn is_odd(self) -> bool {
        self.bare_lf || self.bare_cr || self.nul
    }

    fn note(self, anomalies: &mut AnomalySet) {
        for (seen, anomaly) in [
            (self.bare_lf, Anomaly::SmtpBareLf),
            (self.bare_cr, Anomaly::SmtpBareCr),
            (self.nul, Anomaly::SmtpNulInContent),
        ] {
            if seen {
                anomalies.insert(anomaly);
            }
        }
    }
}

/// Octets surveyed at a time, a segment of Ethernet's size in one: behind each stop the rest of them is surveyed anew, and a
/// hostile chunk may stop at every line.
const SURVEYED_OCTETS: usize = 2_048;

/// Octets looked at together: the width of the vector registers that every x86-64 and AArch64 has.
const LANES: usize = 16;

/// Octet-wide flags, lane by lane. Branch-free, so that all lanes are worked in one instruction each.
#[derive(Default)]
struct Lanes {
    dot: [u8; LANES],
    bare_lf: [u8; LANES],
    bare_cr: [u8; LANES],
    nul: [u8; LANES],
}

impl Lanes {
    #[inline(always)]
    fn look(&mut self, lane: usize, previous: u8, octet: u8) {
        let (lf, after_lf) = (u8::from(octet == b'\n'), u8::from(previous == b'\n'));
        let after_cr = u8::from(previous == b'\r');
        self.dot[lane] |= u8::from(octet == b'.') & (after_lf | after_cr);
        self.bare_lf[lane] |= lf & (after_cr ^ 1);
        self.bare_cr[lane] |= after_cr & (lf ^ 1);
        self.nul[lane] |= u8::from(octet == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Vec<u8>, Option<usize>, AnomalySet);

    fn read(chunks: &[&[u8]]) -> Read {
        read_asking(chunks, |_| true)
    }

    fn read_asking(chunks: &[&[u8]], may_be_command: impl Fn(&[u8]) -> bool) -> Read {
        let mut reader = DataReader::default();
        let mut anomalies = AnomalySet::default();
        let mut out = Vec::new();
        let mut before = 0;
        for chunk in chunks {
            let mut at = 0;
            while at < chunk.len() {
                match reader.read(&chunk[at..], &mut anomalies, &may_be_command, |content| {
                    out.extend_from_slice(content)
                }) {
                    None => break,
                    Some(Stop::Lookalike(used)) => at += used,
                    Some(Stop::End(used)) => return (out, Some(before + at + used), anomalies),
                }
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
        fn a_survey_sees_what_a_look_at_each_pair_sees(chunk in "[a.\r\n\0]{0,80}", before in "[a\r\n]") {
            let (chunk, before) = (chunk.as_bytes(), before.as_bytes()[0]);
            let pairs: Vec<(u8, u8)> = [&[before], chunk].concat().windows(2).map(|pair| (pair[0], pair[1])).collect();
            let any = |is_one: fn(&(u8, u8)) -> bool| pairs.iter().any(is_one);
            let survey = Survey::of(before, chunk);
            proptest::prop_assert_eq!(survey.dot, any(|(last, octet)| *octet == b'.' && b"\r\n".contains(last)));
            proptest::prop_assert_eq!(survey.bare_lf, any(|(last, octet)| *octet == b'\n' && *last != b'\r'));
            proptest::prop_assert_eq!(survey.bare_cr, any(|(last, octet)| *last == b'\r' && *octet != b'\n'));
            proptest::prop_assert_eq!(survey.nul, any(|(_, octet)| *octet == 0));
        }

        #[test]
        fn any_content_is_read_as_the_dumb_reader_reads_it(
            pieces in proptest::collection::vec(proptest::sample::select(vec!["\r\n", "\r", "\n", ".", "..", "a", "MAIL FROM:", "\r\n."]), 0..40),
            cuts in proptest::collection::vec(0_usize..80, 0..6),
            filler in 0_usize..60,
        ) {
            // Behind a filler the pieces lie across the place where the survey of a whole chunk is renewed.
            let filler = "x".repeat(if filler == 0 { 0 } else { SURVEYED_OCTETS - filler });
            let input = format!("{filler}{}", pieces.concat()).into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| (filler.len() + cut).min(input.len())).collect();
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
            proptest::prop_assert_eq!((&content, end), (&expected, expected_end));
            proptest::prop_assert_eq!(anomalies, read(&[&input]).2);
            // Where nobody asks, nothing stops and the same is read.
            proptest::prop_assert_eq!(read_asking(&chunks, |_| false), (content, end, anomalies));
        }
    }
}
