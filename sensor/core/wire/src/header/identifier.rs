//! Message identifiers (RFC 5322 3.6.4): Message-ID, In-Reply-To, References.
//!
//! An identifier is what stands between angle brackets, blanks and line ends inside it dropped (4.5.4 allows them around
//! its parts). Where a field holds no bracket at all, its words count: many programs leave the brackets out.

use memchr::memchr2;

use super::lexer::{Grammar, Lexer, Token};
use super::text::{self, is_blank, push_utf8};
use crate::anomaly::{Anomaly, AnomalySet};

/// Message-ID: the first identifier; without brackets the whole value as it stands.
#[must_use]
pub fn message_id(raw: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    if let Some(bracketed) = Bracketed::new(raw).next() {
        return bracketed.print(anomalies);
    }
    let line = text::line(raw, anomalies);
    anomalies.insert(Anomaly::HeaderMalformedIdentifier);
    (!line.is_empty()).then_some(line)
}

/// In-Reply-To: the first identifier. Prose around it is obsolete (RFC 5322 4.5.4) and passed over.
#[must_use]
pub fn in_reply_to(raw: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    let mut found = Vec::new();
    let mut beyond = AnomalySet::default();
    references(raw, 1, &mut found, &mut beyond);
    for anomaly in beyond
        .iter()
        .filter(|&anomaly| anomaly != Anomaly::HeaderTooManyReferences)
    {
        anomalies.insert(anomaly);
    }
    found.pop()
}

/// References: appends the identifiers of *raw* to *out*, in order, until it holds *max*; more are noted.
pub fn references(raw: &[u8], max: usize, out: &mut Vec<String>, anomalies: &mut AnomalySet) {
    let mut found_bracket = false;
    for bracketed in Bracketed::new(raw) {
        found_bracket = true;
        let Some(identifier) = bracketed.print(anomalies) else {
            continue;
        };
        if !push(identifier, max, out, anomalies) {
            return;
        }
    }
    if !found_bracket {
        bare_words(raw, max, out, anomalies);
    }
}

fn push(identifier: String, max: usize, out: &mut Vec<String>, anomalies: &mut AnomalySet) -> bool {
    if out.len() >= max {
        anomalies.insert(Anomaly::HeaderTooManyReferences);
        return false;
    }
    out.push(identifier);
    true
}

/// The words with an `@` of a value without brackets: `Your mail of Sunday` holds none.
fn bare_words(raw: &[u8], max: usize, out: &mut Vec<String>, anomalies: &mut AnomalySet) {
    for word in raw.split(|&octet| is_blank(octet) || octet == b',') {
        if word.contains(&b'@') {
            anomalies.insert(Anomaly::HeaderMalformedIdentifier);
            let mut identifier = String::new();
            push_utf8(&mut identifier, word, anomalies);
            if !push(identifier, max, out, anomalies) {
                return;
            }
        }
    }
}

/// What stands between one pair of angle brackets.
struct Identifier<'a> {
    inside: &'a [u8],
    is_closed: bool,
}

impl Identifier<'_> {
    fn print(&self, anomalies: &mut AnomalySet) -> Option<String> {
        if !self.is_closed || self.inside.is_empty() {
            anomalies.insert(Anomaly::HeaderMalformedIdentifier);
        }
        let mut identifier = String::with_capacity(self.inside.len());
        for piece in self.inside.split(|&octet| is_blank(octet)) {
            push_utf8(&mut identifier, piece, anomalies);
        }
        (!identifier.is_empty()).then_some(identifier)
    }
}

/// The angle brackets of a value, outside of comments and quoted strings.
struct Bracketed<'a> {
    lexer: Lexer<'a>,
}

impl<'a> Bracketed<'a> {
    fn new(raw: &'a [u8]) -> Self {
        Self {
            lexer: Lexer::new(raw, Grammar::Address),
        }
    }
}

impl<'a> Iterator for Bracketed<'a> {
    type Item = Identifier<'a>;

    fn next(&mut self) -> Option<Identifier<'a>> {
        while self.lexer.next_but_comments()? != Token::Special(b'<') {}
        let rest = self.lexer.rest();
        let end = memchr2(b'>', b'<', rest);
        let inside = &rest[..end.unwrap_or(rest.len())];
        self.lexer.pass_over(inside.len());
        Some(Identifier {
            inside,
            is_closed: end.is_some_and(|end| rest[end] == b'>'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(raw: &[u8]) -> (Vec<String>, Vec<Anomaly>) {
        let (mut out, mut anomalies) = (Vec::new(), AnomalySet::default());
        references(raw, 3, &mut out, &mut anomalies);
        (out, anomalies.iter().collect())
    }

    #[test]
    fn reads_identifiers_in_order() {
        use Anomaly::{HeaderMalformedIdentifier as Malformed, HeaderTooManyReferences as TooMany};
        let table: &[(&[u8], &[&str], &[Anomaly])] = &[
            (b" <a@x> <b@y>", &["a@x", "b@y"], &[]),
            (b"<a@x><b@y>", &["a@x", "b@y"], &[]),
            (b"<a@x>\r\n\t<b@y>", &["a@x", "b@y"], &[]),
            (b"< a @\r\n x >", &["a@x"], &[]),
            (b"<\"a b\"@x>", &["\"ab\"@x"], &[]),
            (b"(see <c@z>) <a@x>", &["a@x"], &[]),
            (b"Your mail of \"Sun <c@z>\" <a@x>", &["a@x"], &[]),
            (b"Your mail of Sunday", &[], &[]),
            (b"a@x, b@y", &["a@x", "b@y"], &[Malformed]),
            (b"<a@x <b@y>", &["a@x", "b@y"], &[Malformed]),
            (b"<a@x", &["a@x"], &[Malformed]),
            (b"<>", &[], &[Malformed]),
            (b"<1@x><2@x><3@x><4@x>", &["1@x", "2@x", "3@x"], &[TooMany]),
            (b"", &[], &[]),
        ];
        for (raw, expected, anomalies) in table {
            let expected: Vec<String> = expected.iter().map(|&id| id.to_owned()).collect();
            assert_eq!(all(raw), (expected, anomalies.to_vec()), "{raw:?}");
        }
    }

    #[test]
    fn a_message_id_without_brackets_is_kept_as_it_stands() {
        let mut anomalies = AnomalySet::default();
        assert_eq!(
            message_id(b" no brackets\r\n ", &mut anomalies).as_deref(),
            Some("no brackets")
        );
        assert!(anomalies.contains(Anomaly::HeaderMalformedIdentifier));
        assert_eq!(message_id(b"", &mut anomalies), None);
        assert_eq!(message_id(b"<a@x> (one) <b@y>", &mut anomalies).as_deref(), Some("a@x"));
    }

    #[test]
    fn in_reply_to_is_the_first_identifier() {
        let mut anomalies = AnomalySet::default();
        assert_eq!(in_reply_to(b"<a@x> <b@y>", &mut anomalies).as_deref(), Some("a@x"));
        assert!(anomalies.is_empty());
    }

    proptest! {
        #[test]
        fn printed_identifiers_read_back(ids in prop::collection::vec("[a-z0-9.$%+=_-]{1,12}@[a-z0-9.-]{1,12}", 0..3), blank in "(| |\r\n |\t)") {
            let raw: Vec<String> = ids.iter().map(|id| format!("<{id}>")).collect();
            prop_assert_eq!(all(raw.join(&blank).as_bytes()), (ids, vec![]));
        }
    }
}
