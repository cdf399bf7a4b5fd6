//! Is this flow mail? By content, on any port; ports are only hints (RFC 5321 names no content signature, practice has several).
//!
//! The first octets of both sides are kept, bounded, until they tell. Then they are handed to the session that was found, in
//! the order in which they came, or dropped.
//!
//! | what is seen | verdict |
//! |---|---|
//! | a server greeting `220` that says SMTP or LMTP, or a client's `EHLO`/`HELO`/`LHLO` line | mail |
//! | inside a session: `MAIL FROM:<`, `RCPT TO:<`, `BDAT n`, replies with enhanced codes, `354` | mail |
//! | a TLS ClientHello first, on port 465 (RFC 8314 3.3) | TLS from the start |
//! | a client that begins with something else, or too many octets without a sign | not mail |
//!
//! FTP greets with 220 as well; it never sends EHLO. On a mail port a flow joined inside a long mail shows no sign until its
//! end, so there the session starts without one.

use super::command::{starts_with, Command, Verb};
use super::reply::parse_line;
use super::tls::looks_like_hello;
use crate::frame::Timestamp;
use crate::limits::Limits;
use crate::tcp::conversation::{FlowStart, Side};

/// Ports on which mail is expected: relay, submission, their usual stand-ins, LMTP.
const MAIL_PORTS: [u16; 4] = [25, 587, 2525, 24];
/// Port on which TLS from the start is mail submission.
const IMPLICIT_TLS_PORT: u16 = 465;

/// Something one side did, kept for the session.
#[derive(Debug)]
pub enum Seen {
    /// Octets.
    Data(Vec<u8>),
    /// Octets that were never seen.
    Gap(u64),
}

/// What a flow turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// Too early to tell.
    Open,
    /// Mail; this side is the client.
    Mail(Side),
    /// TLS from the start on the submission port; this side is the client.
    ImplicitTls(Side),
    /// Something else.
    NotMail,
}

/// The first octets of a flow, until they tell what it is.
#[derive(Debug)]
pub struct Recogniser {
    /// What came so far, in order.
    pub seen: Vec<(Side, Timestamp, Seen)>,
    start: FlowStart,
    streams: [Vec<u8>; 2],
    octets: [usize; 2],
    inside: [bool; 2],
    /// What the context knows this flow to hold.
    pub accounted: usize,
}

impl Recogniser {
    /// For a flow that began with *start*.
    #[must_use]
    pub fn new(start: &FlowStart) -> Self {
        let inside = [!start.saw_start[0], !start.saw_start[1]];
        Self {
            seen: Vec::new(),
            start: *start,
            streams: [Vec::new(), Vec::new()],
            octets: [0, 0],
            inside,
            accounted: 0,
        }
    }

    /// Octets it holds beside its own size, without a walk over them.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        let pieces = self.seen.capacity() * size_of::<(Side, Timestamp, Seen)>();
        let streams: usize = self.streams.iter().map(Vec::capacity).sum();
        pieces + streams + self.octets.iter().sum::<usize>()
    }

    /// What the flow is taken for if no more of it can be kept: by its port.
    #[must_use]
    pub fn give_up(&self) -> Recognised {
        match self.mail_port_side() {
            Some(server) => Recognised::Mail(server.peer()),
            None => Recognised::NotMail,
        }
    }

    /// Takes octets of *side*.
    pub fn data(&mut self, side: Side, octets: &[u8], at: Timestamp, limits: &Limits) -> Recognised {
        let index = side.index();
        self.seen.push((side, at, Seen::Data(octets.to_vec())));
        self.octets[index] = self.octets[index].saturating_add(octets.len());
        let room = limits
            .probe_octets
            .saturating_sub(self.streams[index].len())
            .min(octets.len());
        self.streams[index].extend_from_slice(&octets[..room]);
        self.judge(side, limits)
    }

    /// *octets* of *side* were never seen.
    pub fn gap(&mut self, side: Side, octets: u64, at: Timestamp) {
        self.seen.push((side, at, Seen::Gap(octets)));
        self.inside[side.index()] = true;
        // What follows does not join what came before.
        self.streams[side.index()].clear();
    }

    fn judge(&self, side: Side, limits: &Limits) -> Recognised {
        let stream = &self.streams[side.index()];
        let inside = self.inside[side.index()];
        // The first words of a stream seen from its start tell more than what may be quoted later in it.
        let refused = match self.start.initiator {
            Some(client) if !inside && client == side => self.cannot_be_client(stream),
            Some(_) if !inside => cannot_be_server(stream),
            _ => false,
        };
        if refused {
            return Recognised::NotMail;
        }
        if let Some(found) = self.by_sign(side, stream, inside) {
            return found;
        }
        if self.octets.iter().any(|octets| *octets > limits.probe_octets) || self.seen.len() > MAX_PIECES {
            return self.give_up();
        }
        Recognised::Open
    }

    /// A sign that decides by itself.
    fn by_sign(&self, side: Side, stream: &[u8], inside: bool) -> Option<Recognised> {
        if !inside && looks_like_hello(stream) {
            let to_submission = self.start.endpoint(side.peer()).port == IMPLICIT_TLS_PORT;
            return Some(if to_submission {
                Recognised::ImplicitTls(side)
            } else {
                Recognised::NotMail
            });
        }
        // A PROXY header stands before whatever the protocol is; the lines behind it tell.
        let mut lines = stream
            .split_inclusive(|octet| *octet == b'\n')
            .filter(|line| line.ends_with(b"\n"))
            .map(<[u8]>::trim_ascii_end);
        lines.find_map(|line| {
            if is_client_line(line) {
                Some(Recognised::Mail(side))
            } else if is_server_line(line) {
                Some(Recognised::Mail(side.peer()))
            } else {
                None
            }
        })
    }

    /// True if the initiator's first octets are nothing an SMTP client says first.
    fn cannot_be_client(&self, stream: &[u8]) -> bool {
        if looks_like_hello(stream) {
            return false;
        }
        const FIRST_WORDS: [&[u8]; 4] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n", b"\r\n", b"\n"];
        let proxied = FIRST_WORDS.iter().any(|word| {
            let length = word.len().min(stream.len());
            stream[..length] == word[..length]
        });
        if proxied {
            return false;
        }
        let Some(end) = memchr::memchr(b'\n', stream) else {
            // No SMTP command word is longer than 20 octets, and all are letters, digits and hyphens.
            let word = stream.iter().take(20);
            return word
                .take_while(|octet| **octet != b' ')
                .any(|octet| !octet.is_ascii_alphanumeric() && !matches!(octet, b'-' | b'\r'));
        };
        let verb = Command::parse(&stream[..end]).verb;
        matches!(verb, Verb::Unknown) && self.mail_port_side().is_none() && !self.server_greets_as_mail()
    }

    fn server_greets_as_mail(&self) -> bool {
        let Some(client) = self.start.initiator else {
            return false;
        };
        starts_with(&self.streams[client.peer().index()], b"220")
    }

    fn mail_port_side(&self) -> Option<Side> {
        Side::BOTH
            .into_iter()
            .find(|side| MAIL_PORTS.contains(&self.start.endpoint(*side).port))
    }
}

/// Pieces kept before a verdict; a greeting and a first command come in two.
const MAX_PIECES: usize = 64;

/// True if the first line of the side that was called is no reply.
fn cannot_be_server(stream: &[u8]) -> bool {
    let first = memchr::memchr(b'\n', stream).map(|end| stream[..end].trim_ascii_end());
    first.is_some_and(|line| parse_line(line).is_none())
}

fn is_client_line(line: &[u8]) -> bool {
    let command = Command::parse(line);
    match command.verb {
        Verb::Ehlo | Verb::Helo | Verb::Lhlo => !command.arguments.is_empty() && command.arguments.len() <= 255,
        Verb::Mail => starts_with(command.arguments, b"FROM:"),
        Verb::Rcpt => starts_with(command.arguments, b"TO:"),
        Verb::Bdat => super::command::bdat_size(command.arguments).is_some(),
        Verb::Xclient | Verb::Xforward => memchr::memchr(b'=', command.arguments).is_some(),
        _ => false,
    }
}

fn is_server_line(line: &[u8]) -> bool {
    let Some((code, _, text)) = parse_line(line) else {
        return false;
    };
    let says = |word: &[u8]| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    match code {
        220 => says(b"SMTP") || says(b"LMTP"),
        250 => {
            enhanced(text)
                || [
                    &b"PIPELINING"[..],
                    b"8BITMIME",
                    b"STARTTLS",
                    b"SMTPUTF8",
                    b"CHUNKING",
                    b"ENHANCEDSTATUSCODES",
                ]
                .contains(&text)
        }
        354 => true,
        // An error with an enhanced code (RFC 3463) is SMTP's, LMTP's or a near relative's.
        421..=599 => enhanced(text),
        _ => false,
    }
}

fn enhanced(text: &[u8]) -> bool {
    matches!(text, [b'2' | b'4' | b'5', b'.', rest @ ..] if {
        let mut parts = rest.splitn(2, |octet| *octet == b'.');
        let number = |part: &[u8]| !part.is_empty() && part.len() <= 3 && part.iter().all(u8::is_ascii_digit);
        let subject = parts.next().is_some_and(number);
        let detail = parts.next().is_some_and(|detail| number(detail.split(|octet| *octet == b' ').next().unwrap_or_default()));
        subject && detail
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::tcp::segment::Endpoint;

    fn start(server_port: u16, whole: bool) -> FlowStart {
        FlowStart {
            low: Endpoint {
                address: IpAddr::from([192, 0, 2, 1]),
                port: 40_000,
            },
            high: Endpoint {
                address: IpAddr::from([192, 0, 2, 2]),
                port: server_port,
            },
            initiator: whole.then_some(Side::Low),
            started_at: Timestamp(0),
            saw_start: [whole, whole],
        }
    }

    fn run(start: &FlowStart, turns: &[(Side, &[u8])], piece: usize) -> Recognised {
        let mut recogniser = Recogniser::new(start);
        let limits = Limits {
            probe_octets: 200,
            ..Limits::default()
        };
        for (side, octets) in turns {
            for chunk in octets.chunks(piece) {
                let found = recogniser.data(*side, chunk, Timestamp(0), &limits);
                if found != Recognised::Open {
                    return found;
                }
            }
        }
        Recognised::Open
    }

    #[test]
    fn flows_are_known_by_what_is_said_and_not_by_their_port() {
        use Side::{High, Low};
        let hello = [&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[7; 40]].concat();
        type Turns<'a> = &'a [(Side, &'a [u8])];
        let cases: &[(u16, Turns<'_>, Recognised)] = &[
            (50_025, &[(High, b"220 mx ESMTP Postfix\r\n")], Recognised::Mail(Low)),
            (
                50_025,
                &[(High, b"220 ready\r\n"), (Low, b"EHLO x.example\r\n")],
                Recognised::Mail(Low),
            ),
            (
                50_025,
                &[(Low, b"PROXY TCP4 192.0.2.9 192.0.2.2 1 25\r\nEHLO x\r\n")],
                Recognised::Mail(Low),
            ),
            (
                21,
                &[(High, b"220 FTP ready\r\n"), (Low, b"USER ann\r\n")],
                Recognised::Open,
            ),
            (80, &[(Low, b"GET / HTTP/1.1\r\n")], Recognised::NotMail),
            (22, &[(Low, b"SSH-2.0-OpenSSH\r\n")], Recognised::NotMail),
            (465, &[(Low, &hello)], Recognised::ImplicitTls(Low)),
            (443, &[(Low, &hello)], Recognised::NotMail),
            (
                143,
                &[(High, b"* OK IMAP ready\r\n"), (Low, b"a1 LOGIN ann secret\r\n")],
                Recognised::NotMail,
            ),
        ];
        for (port, turns, expected) in cases {
            let start = start(*port, true);
            assert_eq!(run(&start, turns, usize::MAX), *expected, "{turns:?}");
            // Cut apart, a TLS hello is refused or found as soon as its first octets show.
            assert_eq!(run(&start, turns, 7), *expected, "cut: {turns:?}");
        }
    }

    #[test]
    fn a_flow_joined_inside_is_known_by_its_next_sign() {
        use Side::{High, Low};
        let inside = start(50_025, false);
        assert_eq!(
            run(&inside, &[(Low, b"ple.com>\r\nRCPT TO:<a@b>\r\n")], 1),
            Recognised::Mail(Low)
        );
        assert_eq!(run(&inside, &[(High, b"250 2.1.5 Ok\r\n")], 1), Recognised::Mail(Low));
        assert_eq!(run(&inside, &[(High, b"354 go\r\n")], 1), Recognised::Mail(Low));
        assert_eq!(run(&inside, &[(Low, &[b'a'; 300])], 50), Recognised::NotMail);
        assert_eq!(
            run(&start(25, false), &[(Low, &[b'a'; 300])], 50),
            Recognised::Mail(Low)
        );
    }
}
