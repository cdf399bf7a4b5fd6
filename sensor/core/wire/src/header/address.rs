//! Address lists (RFC 5322 3.4, obsolete forms 4.4; UTF-8 as RFC 6532 allows), drawn down to bare `local@domain`.
//!
//! One pass over the tokens. The list is a row of elements between commas; each yields at most its addr-spec:
//!
//! - display names and comments are dropped, members of a group are drawn, its name is dropped;
//! - an addr-spec in angle brackets wins over anything in the phrase before it;
//! - a source route `<@a,@b:local@domain>` is skipped (4.4);
//! - `;` separates like a comma, as Outlook writes it;
//! - without brackets the words nearest to the `@` are the address; what else stands there is noted.
//!
//! The result has its local part as written, in quotes only where the grammar needs them, and its domain in lower case
//! without a final dot. Control characters become U+FFFD. An element without a usable addr-spec yields nothing.

use super::addr_spec::{Part, Spec};
use super::lexer::{Grammar, Lexer, Token};
use crate::anomaly::{Anomaly, AnomalySet};

pub use super::addr_spec::normalise;

/// Appends the addresses of *raw* to *out*, until it holds *max*; more are noted and not read.
///
/// Notes malformed parts, obsolete routes, octets that are not UTF-8.
pub fn list(raw: &[u8], max: usize, out: &mut Vec<String>, anomalies: &mut AnomalySet) {
    let mut lexer = Lexer::new(raw, Grammar::Address);
    let mut reader = ListReader::new(max, out, anomalies);
    while let Some(token) = lexer.next_but_comments() {
        reader.take(token, lexer.blank_before);
        if reader.is_full {
            return;
        }
    }
    reader.end_element();
    if lexer.found_unclosed() {
        anomalies.insert(Anomaly::HeaderMalformedAddress);
    }
}

/// The first address of *raw*, bare; none if there is none.
#[must_use]
pub fn bare(raw: &[u8]) -> Option<String> {
    first(raw, &mut AnomalySet::default())
}

/// As [`bare`], and notes what is odd. Elements after the first address are not read.
#[must_use]
pub fn first(raw: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    let mut found = Vec::new();
    let mut lexer = Lexer::new(raw, Grammar::Address);
    let mut reader = ListReader::new(usize::MAX, &mut found, anomalies);
    while let Some(token) = lexer.next_but_comments() {
        reader.take(token, lexer.blank_before);
        if reader.ended_with_address() {
            break;
        }
    }
    reader.end_element();
    found.into_iter().next()
}

/// Where in an element the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of angle brackets: a phrase or a bare addr-spec.
    Outside,
    /// Between angle brackets.
    Inside,
    /// In the source route at the start of an angle-addr.
    Route,
    /// Behind the closing bracket.
    Behind,
}

struct ListReader<'a, 'o> {
    max: usize,
    out: &'o mut Vec<String>,
    anomalies: &'o mut AnomalySet,
    spec: Spec<'a>,
    place: Place,
    /// `out.len()` where this element began.
    element_start: usize,
    /// The element holds words that were dropped: fine before an angle-addr or a group's colon, odd otherwise.
    has_phrase: bool,
    is_full: bool,
}

impl<'a, 'o> ListReader<'a, 'o> {
    fn new(max: usize, out: &'o mut Vec<String>, anomalies: &'o mut AnomalySet) -> Self {
        Self {
            max,
            element_start: out.len(),
            out,
            anomalies,
            spec: Spec::default(),
            place: Place::Outside,
            has_phrase: false,
            is_full: false,
        }
    }

    /// True if an address is out and nothing that follows can take its place.
    fn ended_with_address(&self) -> bool {
        let is_between = self.place == Place::Outside && self.element_start == self.out.len();
        !self.out.is_empty() && (is_between || self.place == Place::Behind)
    }

    fn take(&mut self, token: Token<'a>, blank_before: bool) {
        if self.place == Place::Behind && !matches!(token, Token::Special(b',' | b';')) {
            // A comma is missing, or there is junk: either way a new element begins.
            self.malformed();
            self.end_element();
        }
        match token {
            Token::Special(special) => self.special(special),
            Token::Word(word) => self.word(word, blank_before),
            Token::Quoted(quoted) => self.quoted(quoted, blank_before),
            Token::Literal(literal) => self.literal(literal),
            Token::Comment(_) => {}
        }
    }

    fn special(&mut self, special: u8) {
        match (self.place, special) {
            (Place::Outside | Place::Inside, b'@') => self.at(),
            (Place::Outside, b':') => self.group(),
            (Place::Outside | Place::Inside, b'<') => self.open_angle(),
            (Place::Inside, b'>') => self.close_angle(),
            (Place::Route, b':') => self.end_route(),
            (Place::Route, b',' | b'@') => self.spec = Spec::default(),
            (Place::Outside | Place::Behind, b',' | b';') => self.end_element(),
            (Place::Inside | Place::Route, b',' | b';' | b'>') => {
                self.malformed(); // the bracket is not closed, or a route leads nowhere
                self.end_element();
            }
            _ => self.malformed(),
        }
    }

    fn at(&mut self) {
        let is_empty = self.spec.local.is_empty();
        if is_empty && self.spec.domain.is_none() && self.place == Place::Inside {
            self.place = Place::Route;
        } else if is_empty || self.spec.domain.is_some() {
            self.malformed();
        }
        self.spec.at();
    }

    fn group(&mut self) {
        if self.spec.domain.is_some() {
            self.malformed();
        }
        self.start_element();
    }

    fn open_angle(&mut self) {
        if self.place == Place::Inside {
            self.malformed();
        }
        // What looked like an address before was part of the display name.
        self.out.truncate(self.element_start);
        self.start_element();
        self.place = Place::Inside;
    }

    fn close_angle(&mut self) {
        if self.has_phrase {
            self.malformed();
            self.has_phrase = false;
        }
        if !self.emit() {
            self.malformed();
        }
        self.place = Place::Behind;
    }

    fn end_route(&mut self) {
        self.anomalies.insert(Anomaly::HeaderObsoleteSyntax);
        self.spec = Spec::default();
        self.place = Place::Inside;
    }

    fn word(&mut self, word: &'a [u8], blank_before: bool) {
        if let Some(domain) = &mut self.spec.domain {
            if domain.is_empty() || domain.joins(word, blank_before) {
                domain.append(word);
                return;
            }
            self.end_bare();
        } else if !self.spec.local.is_empty() && !self.spec.local.joins(word, blank_before) {
            self.drop_word();
        }
        self.spec.local.append(word);
    }

    fn quoted(&mut self, quoted: &'a [u8], blank_before: bool) {
        if self.spec.domain.is_some() {
            self.end_bare();
        } else if !self.spec.local.is_empty() && !self.spec.local.joins(b"", blank_before) {
            self.drop_word();
        }
        self.spec.local.append_quoted(quoted);
    }

    fn literal(&mut self, literal: &'a [u8]) {
        match &mut self.spec.domain {
            Some(domain) if domain.is_empty() => domain.append(literal),
            _ => self.malformed(),
        }
    }

    /// The word read so far belongs to a phrase.
    fn drop_word(&mut self) {
        self.spec.local = Part::default();
        self.has_phrase = true;
    }

    /// An addr-spec ended because a word follows that does not belong to it.
    fn end_bare(&mut self) {
        self.malformed();
        self.emit();
    }

    /// Ends an element at its separator or at the end of the value.
    fn end_element(&mut self) {
        if matches!(self.place, Place::Inside | Place::Route) {
            self.malformed();
        }
        let is_empty = self.spec.is_empty();
        let emitted = self.emit();
        if self.has_phrase || !(is_empty || emitted) {
            self.malformed();
        }
        self.start_element();
    }

    fn start_element(&mut self) {
        self.spec = Spec::default();
        self.place = Place::Outside;
        self.element_start = self.out.len();
        self.has_phrase = false;
    }

    /// Puts the addr-spec out, if there is one; false if not.
    fn emit(&mut self) -> bool {
        let spec = std::mem::take(&mut self.spec);
        if self.out.len() >= self.max && spec.is_whole() {
            self.anomalies.insert(Anomaly::HeaderTooManyAddresses);
            self.is_full = true;
            return true;
        }
        let address = spec.print(self.anomalies);
        let is_address = address.is_some();
        self.out.extend(address);
        is_address
    }

    fn malformed(&mut self) {
        self.anomalies.insert(Anomaly::HeaderMalformedAddress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: &[Anomaly] = &[];
    const MALFORMED: &[Anomaly] = &[Anomaly::HeaderMalformedAddress];

    fn read(raw: &[u8]) -> (Vec<String>, Vec<Anomaly>) {
        let (mut out, mut anomalies) = (Vec::new(), AnomalySet::default());
        list(raw, 100, &mut out, &mut anomalies);
        (out, anomalies.iter().collect())
    }

    fn check(table: &[(&str, &[&str])], anomalies: &[Anomaly]) {
        for (raw, expected) in table {
            let expected: Vec<String> = expected.iter().map(|&address| address.to_owned()).collect();
            assert_eq!(read(raw.as_bytes()), (expected, anomalies.to_vec()), "{raw}");
        }
    }

    #[test]
    fn valid_lists_are_drawn_down_to_bare_addresses() {
        check(
            &[
                ("", &[]),
                (" a@b", &["a@b"]),
                ("Ann <a@b>, Bo <c@d>", &["a@b", "c@d"]),
                ("\"Last, First\" <a@b> (comment, (nested) <x@y>)", &["a@b"]),
                ("a@b (Ann), c@d", &["a@b", "c@d"]),
                ("Ann\r\n <a@b>,\r\n\tc@d", &["a@b", "c@d"]),
                ("Ann@Example.ORG", &["Ann@example.org"]),
                ("a@b.example.", &["a@b.example"]),
                ("Team: a@b, Bo <c@d>;, e@f", &["a@b", "c@d", "e@f"]),
                ("undisclosed-recipients:;", &[]),
                ("a@b; c@d;", &["a@b", "c@d"]),
                (", ,a@b,,", &["a@b"]),
                ("\"a b\"@c", &["\"a b\"@c"]),
                ("\"ab\"@c", &["ab@c"]),
                ("\"a.b\\\"\\\\\"@c", &["\"a.b\\\"\\\\\"@c"]),
                ("\"\"@c", &["\"\"@c"]),
                ("\"a..b\"@c", &["\"a..b\"@c"]),
                ("a..b.@c", &["a..b.@c"]),
                ("a@[192.0.2.1]", &["a@[192.0.2.1]"]),
                ("<a@[IPv6:2001:DB8::1]>", &["a@[ipv6:2001:db8::1]"]),
                ("a @ b . c", &["a@b.c"]),
                ("< a . b @ c >", &["a.b@c"]),
                ("John Q. Public <a@b>", &["a@b"]),
                ("x@y <a@b>", &["a@b"]),
                ("=?utf-8?Q?x@y?= <a@b>", &["a@b"]),
                ("\u{e9}@B\u{dc}cher.example", &["\u{e9}@b\u{fc}cher.example"]),
                ("a+tag=x.y#!@b", &["a+tag=x.y#!@b"]),
            ],
            NONE,
        );
        check(
            &[("<@a,@b:c@d>", &["c@d"]), ("Ann <@a:c@D>", &["c@d"])],
            &[Anomaly::HeaderObsoleteSyntax],
        );
    }

    #[test]
    fn broken_lists_yield_what_can_be_told_and_are_noted() {
        check(
            &[
                ("Ann", &[]),
                ("<>", &[]),
                ("<root>", &[]),
                ("a@", &[]),
                ("@b", &[]),
                ("a@.", &[]),
                ("<@a,@b>", &[]),
                ("Ann a@b", &["a@b"]),
                ("a@b c@d", &["a@b", "c@d"]),
                ("a@b c@d <e@f>", &["e@f"]),
                ("<a@b> <c@d>", &["a@b", "c@d"]),
                ("<a@b> Ann, c@d", &["a@b", "c@d"]),
                ("<a@b", &["a@b"]),
                ("<a@b, c@d", &["a@b", "c@d"]),
                ("<<a@b>>", &["a@b"]),
                ("\"Ann <a@b>", &["a@b"]),
                ("(Ann <a@b>", &["a@b"]),
                ("a@b@c", &["\"a@b\"@c"]),
                ("a@[192.0.2.1", &["a@192.0.2.1"]),
                ("a\0b@c", &["a\u{fffd}b@c"]),
                (">, a@b", &["a@b"]),
                ("=?x?Q?Last,_First?= <a@b>", &["a@b"]),
            ],
            MALFORMED,
        );
        assert_eq!(
            read(b"<@a:>"),
            (vec![], vec![Anomaly::HeaderObsoleteSyntax, MALFORMED[0]])
        );
        assert_eq!(read(b"\xff@b").0, ["\u{fffd}@b"]);
        assert_eq!(read(b"a@\xff").0, ["a@\u{fffd}"]);
    }

    #[test]
    fn no_more_than_the_bound_are_kept() {
        let (mut out, mut anomalies) = (Vec::new(), AnomalySet::default());
        list(b"a@b, c@d, e@f", 2, &mut out, &mut anomalies);
        assert_eq!(out, ["a@b", "c@d"]);
        assert!(anomalies.contains(Anomaly::HeaderTooManyAddresses));
    }

    #[test]
    fn bare_is_the_first_address() {
        assert_eq!(bare(b"Ann <a@B>, c@d").as_deref(), Some("a@b"));
        assert_eq!(bare(b"x@y <a@b>").as_deref(), Some("a@b"));
        assert_eq!(bare(b"Ann, c@d").as_deref(), Some("c@d"));
        assert_eq!(bare(b"nobody"), None);
    }

    fn printed_address() -> impl Strategy<Value = (String, String)> {
        let local = prop_oneof![
            "[a-zA-Z0-9+_=-]{1,8}(\\.[a-z0-9]{1,4}){0,2}",
            "[a-z@,;:<> ()\\[\\]]{0,6} ".prop_map(|text| format!("\"{text}\"")),
        ];
        (local, "[a-z0-9-]{1,8}(\\.[a-z]{2,3}){0,2}", 0..5, "( |\r\n |\t)").prop_map(|(local, domain, form, blank)| {
            let address = format!("{local}@{domain}");
            let raw = match form {
                0 => address.clone(),
                1 => format!("<{address}>"),
                2 => format!("Ann Example{blank}<{address}>"),
                3 => format!("\"Last, F. <x@y>\"{blank}<{address}>{blank}(c (d))"),
                _ => format!("{local}{blank}@{blank}{}", domain.to_uppercase()),
            };
            (raw, address)
        })
    }

    proptest! {
        #[test]
        fn printed_addresses_read_back(addresses in prop::collection::vec(printed_address(), 0..6), comma in "(,|, |,\r\n |;|,,)") {
            let (raw, expected): (Vec<String>, Vec<String>) = addresses.into_iter().unzip();
            prop_assert_eq!(read(raw.join(&comma).as_bytes()), (expected, vec![]));
        }

        #[test]
        fn what_was_drawn_reads_as_itself(raw in "[ab.@<>,;:()\"\\\\\\[\\] \u{e9}\0]{0,20}") {
            for address in read(raw.as_bytes()).0 {
                prop_assert_eq!(bare(address.as_bytes()), Some(address));
            }
        }
    }
}
