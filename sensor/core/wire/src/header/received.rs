//! Received lines (RFC 5321 4.4), as the servers about really write them.
//!
//! The line is a row of clauses, each a keyword and its value, in any order, with comments anywhere, and a date behind the
//! last semicolon. The first clause of its kind counts. Words that belong to no clause are passed over.
//!
//! - `from`: the name the client gave. Exim and qmail put the looked-up name first and the given one into the comment
//!   (`helo=x`, `HELO x`); that one is taken where it stands.
//! - The client's address is the TCP-info of the from clause: the address literal in its comments, as Postfix
//!   (`x [1.2.3.4]`), Exim (`[1.2.3.4]:25 helo=x`) and Sendmail write it; a comment that is nothing but an address, as Exchange
//!   (`2001:db8::1`) and qmail (`ident@1.2.3.4`) write it; or the literal that stands in the name's place.
//! - `with`: all words up to the next clause or comment, since Exchange writes `Microsoft SMTP Server`.
//! - `for`: the first address, with or without angle brackets.

use std::net::IpAddr;

use memchr::{memchr, memchr2, memmem};

use super::lexer::{Grammar, Lexer, Token};
use super::text::{is_blank, push_utf8, trim};
use super::{address, date};
use crate::anomaly::AnomalySet;
use crate::message::Received;

/// Reads the Received line *raw*, the field at *position*. What is absent or unreadable is none.
#[must_use]
pub fn parse(raw: &[u8], position: u32, anomalies: &mut AnomalySet) -> Received {
    let mut reader = Reader::new(position, anomalies);
    let mut lexer = Lexer::new(raw, Grammar::Trace);
    let mut after_semicolon = None;
    while let Some(token) = lexer.next() {
        match token {
            Token::Word(word) => reader.word(word),
            Token::Comment(comment) => reader.comment(comment),
            Token::Special(b'<') => reader.value(in_angle(&mut lexer)),
            Token::Special(b';') => {
                reader.clause = None;
                after_semicolon = Some(lexer.rest());
            }
            _ => {}
        }
    }
    if let Some(raw) = after_semicolon {
        reader.received.date = date::parse(raw, reader.anomalies);
    }
    reader.received
}

/// What stands up to the closing bracket, or up to the next blank if there is none.
fn in_angle<'a>(lexer: &mut Lexer<'a>) -> &'a [u8] {
    let rest = lexer.rest();
    let end = memchr2(b'>', b'<', rest);
    let is_closed = end.is_some_and(|end| rest[end] == b'>');
    let mut inside = &rest[..end.unwrap_or(rest.len())];
    if !is_closed {
        inside = inside.split(|&octet| is_blank(octet)).next().unwrap_or_default();
    }
    lexer.pass_over(inside.len());
    inside
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    From,
    By,
    Via,
    With,
    Id,
    For,
}

impl Clause {
    /// The clause that *word* opens.
    fn of(word: &[u8]) -> Option<Self> {
        if word.len() > 4 {
            return None;
        }
        let mut keyword = [0_u8; 4];
        let keyword = &mut keyword[..word.len()];
        keyword.copy_from_slice(word);
        keyword.make_ascii_lowercase();
        Some(match &*keyword {
            b"from" => Self::From,
            b"by" => Self::By,
            b"via" => Self::Via,
            b"with" => Self::With,
            b"id" => Self::Id,
            b"for" => Self::For,
            _ => return None,
        })
    }
}

struct Reader<'o> {
    received: Received,
    anomalies: &'o mut AnomalySet,
    /// The clause that takes the next word.
    clause: Option<Clause>,
    /// True from `from` to the next keyword: comments may hold TCP-info.
    in_from: bool,
    /// The address comes from a comment, where the server that wrote the line put it.
    has_tcp_info: bool,
    /// The name in `from` comes from a comment that says it was given.
    has_helo: bool,
}

impl<'o> Reader<'o> {
    fn new(position: u32, anomalies: &'o mut AnomalySet) -> Self {
        Self {
            received: Received {
                position,
                ..Received::default()
            },
            anomalies,
            clause: None,
            in_from: false,
            has_tcp_info: false,
            has_helo: false,
        }
    }

    fn word(&mut self, word: &[u8]) {
        match Clause::of(word) {
            Some(clause) => self.open(clause),
            None => self.value(word),
        }
    }

    fn open(&mut self, clause: Clause) {
        let received = &self.received;
        let is_taken = match clause {
            Clause::From => received.from.is_some(),
            Clause::By => received.by.is_some(),
            Clause::With => received.with.is_some(),
            Clause::Id => received.id.is_some(),
            Clause::For => received.for_address.is_some(),
            Clause::Via => true,
        };
        self.clause = (!is_taken).then_some(clause);
        self.in_from = self.clause == Some(Clause::From);
    }

    /// *word*, or what stands in angle brackets, as the value of the open clause.
    fn value(&mut self, word: &[u8]) {
        let Some(clause) = self.clause else { return };
        match clause {
            Clause::With => return self.with(word),
            Clause::From => {
                self.received.from = text(word, self.anomalies);
                self.received.from_ip = address_literal(word);
            }
            Clause::By => self.received.by = text(word, self.anomalies),
            Clause::Id => self.received.id = text(word, self.anomalies),
            Clause::For => self.received.for_address = address::first(word, self.anomalies),
            Clause::Via => {}
        }
        self.clause = None;
    }

    /// A word of the protocol, the first or a further one.
    fn with(&mut self, word: &[u8]) {
        let protocol = self.received.with.get_or_insert_default();
        if !protocol.is_empty() {
            protocol.push(' ');
        }
        push_utf8(protocol, word, self.anomalies);
    }

    fn comment(&mut self, comment: &[u8]) {
        if self.received.with.is_some() && self.clause == Some(Clause::With) {
            self.clause = None;
        }
        if !self.in_from {
            return;
        }
        let (info, helo) = split_helo(comment);
        if !self.has_tcp_info {
            let address = address_literal(info).or_else(|| lone_address(info));
            self.has_tcp_info = address.is_some();
            self.received.from_ip = address.or(self.received.from_ip.take());
        }
        if let Some(name) = helo.filter(|_| !self.has_helo) {
            self.received.from = text(name, self.anomalies);
            self.has_helo = true;
        }
    }
}

fn text(word: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    let mut text = String::with_capacity(word.len());
    push_utf8(&mut text, word, anomalies);
    (!text.is_empty()).then_some(text)
}

/// A comment's TCP-info, and the name that it says was given: `helo=x` at the end (Exim), or `HELO x` (qmail, Yahoo).
fn split_helo(comment: &[u8]) -> (&[u8], Option<&[u8]>) {
    let first_word = |rest: &'_ [u8]| rest.iter().position(|&octet| is_blank(octet)).unwrap_or(rest.len());
    if let Some((verb, rest)) = comment.split_at_checked(5) {
        if verb.eq_ignore_ascii_case(b"HELO ") || verb.eq_ignore_ascii_case(b"EHLO ") {
            let rest = trim(rest);
            let name = &rest[..first_word(rest)];
            return (&[], (!name.is_empty()).then_some(name));
        }
    }
    let Some(at) = memmem::find(comment, b"helo=") else {
        return (comment, None);
    };
    let (info, rest) = (&comment[..at], &comment[at + 5..]);
    let name = &rest[..first_word(rest)];
    (info, (!name.is_empty()).then_some(name))
}

/// The first address literal (RFC 5321 4.1.3) in *info*, without its brackets.
fn address_literal(info: &[u8]) -> Option<String> {
    let rest = &info[memchr(b'[', info)? + 1..];
    let literal = &rest[..memchr(b']', rest)?];
    let literal = match literal.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case(b"IPv6:") => address,
        _ => literal,
    };
    ip_address(literal)
}

/// *info* if it is nothing but an address, perhaps behind an ident name and `@`.
fn lone_address(info: &[u8]) -> Option<String> {
    let info = trim(info);
    let address = memchr(b'@', info).map_or(info, |at| &info[at + 1..]);
    ip_address(address)
}

/// *text* in the usual spelling of an IP address, if it is one.
fn ip_address(text: &[u8]) -> Option<String> {
    if !text.first()?.is_ascii_hexdigit() && text[0] != b':' {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    Some(match text.parse().ok()? {
        IpAddr::V4(_) => text.to_owned(), // there is but one spelling
        IpAddr::V6(address) => address.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// from, from_ip, by, with, id, for, date
    type Clauses<'a> = [Option<&'a str>; 7];

    fn clauses(received: &Received) -> Clauses<'_> {
        [
            received.from.as_deref(),
            received.from_ip.as_deref(),
            received.by.as_deref(),
            received.with.as_deref(),
            received.id.as_deref(),
            received.for_address.as_deref(),
            received.date.as_deref(),
        ]
    }

    fn read(raw: &[u8]) -> Received {
        parse(raw, 0, &mut AnomalySet::default())
    }

    #[test]
    fn client_name_and_address_are_found_in_every_dialect() {
        let table: &[(&str, Option<&str>, Option<&str>)] = &[
            (
                "from a.example (b.example [192.0.2.1]) by c",
                Some("a.example"),
                Some("192.0.2.1"),
            ),
            (
                "from a.example (unknown [IPv6:2001:DB8::1]) by c",
                Some("a.example"),
                Some("2001:db8::1"),
            ),
            (
                "from [192.0.2.9] (unknown [192.0.2.1]) by c",
                Some("[192.0.2.9]"),
                Some("192.0.2.1"),
            ),
            (
                "from b.example ([192.0.2.1]:4711 helo=a.example) by c",
                Some("a.example"),
                Some("192.0.2.1"),
            ),
            (
                "from [192.0.2.1] (helo=[192.0.2.9]) by c",
                Some("[192.0.2.9]"),
                Some("192.0.2.1"),
            ),
            (
                "from unknown (HELO a.example) (ann@192.0.2.1) by c",
                Some("a.example"),
                Some("192.0.2.1"),
            ),
            (
                "from unknown (HELO [192.0.2.9]) (192.0.2.1) by c",
                Some("[192.0.2.9]"),
                Some("192.0.2.1"),
            ),
            (
                "from a.example (2001:db8::1) by c",
                Some("a.example"),
                Some("2001:db8::1"),
            ),
            (
                "from a (b [192.0.2.1] (may be forged)) by c",
                Some("a"),
                Some("192.0.2.1"),
            ),
            ("from a by c (192.0.2.1)", Some("a"), None),
            ("from a (Postfix 1.2.3.4 x) by c", Some("a"), None),
            ("from a ([nonsense]) by c", Some("a"), None),
            ("from (192.0.2.1) by c", None, Some("192.0.2.1")),
            ("from by c", None, None),
            ("from", None, None),
        ];
        for (raw, from, from_ip) in table {
            let received = read(raw.as_bytes());
            assert_eq!(
                (received.from.as_deref(), received.from_ip.as_deref()),
                (*from, *from_ip),
                "{raw}"
            );
        }
    }

    #[test]
    fn clauses_come_in_any_order_and_the_first_counts() {
        let raw = b"for <Ann@B.Example> id <1@x> with ESMTP by b via TCP from a by c with LMTP id 2; junk; 22 Nov 2026 01:04 +0000";
        let received = read(raw);
        assert_eq!(
            clauses(&received),
            [
                Some("a"),
                None,
                Some("b"),
                Some("ESMTP"),
                Some("1@x"),
                Some("Ann@b.example"),
                Some("2026-11-22T01:04:00+00:00")
            ]
        );
    }

    #[test]
    fn the_first_readable_for_address_counts() {
        for (raw, expected) in [
            (&b"for a@b"[..], Some("a@b")),
            (b"for <a@b>, <c@d>", Some("a@b")),
            (b"for root for <c@d>", Some("c@d")),
            (b"for <\"a b\"@c>", Some("\"a b\"@c")),
            (b"for <a@b (x", Some("a@b")),
            (b"for |pipe", None),
        ] {
            assert_eq!(read(raw).for_address.as_deref(), expected, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(raw in "((from|by|with|id|for|;|,|<|>|\\(|\\)|\\[|\\]|a@b|1\\.2\\.3\\.4|::1|helo=| |\r\n ){0,30})") {
            let _ = read(raw.as_bytes());
        }

        #[test]
        fn a_printed_line_reads_back(
            name in "[g-z][a-z0-9.]{5,20}", ip: std::net::IpAddr, id in "[A-Z0-9]{5,12}", mailbox in "[a-z]{1,8}@[a-z]{1,8}", blank in "( |\r\n\t|  )",
        ) {
            let literal = if ip.is_ipv6() { format!("IPv6:{ip}") } else { ip.to_string() };
            let line = ["from", &name, &format!("({name} [{literal}])"), "by", "mx.example", "(x)", "with", "ESMTPS", "id", &id, "for", &format!("<{mailbox}>;")];
            let received = read(line.join(&blank).as_bytes());
            let ip = ip.to_string();
            prop_assert_eq!(clauses(&received), [Some(name.as_str()), Some(&ip), Some("mx.example"), Some("ESMTPS"), Some(&id), Some(&mailbox), None]);
        }
    }
}
