//! Parameters of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2183 2, RFC 2231), and the forms they really come in.
//!
//! Beyond the grammar these are read: names with blanks outside quotes (`filename=My file.pdf`), parameters without a
//! semicolon between them, stray semicolons, quoted strings without an end, and `\` before anything but `"` and `\` as
//! itself (a Windows path). All but stray semicolons make the field malformed. Of equal names the first counts.

use std::borrow::Cow;

use super::transfer::hex_value;
use crate::anomaly::AnomalySet;
use crate::header::encoded_word::{decode_charset, decode_text};
use crate::limits::Limits;

/// The parameters of one field, in order.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    list: Vec<(&'a [u8], Cow<'a, [u8]>)>,
    /// True if the grammar had to be stretched to read them.
    pub(super) are_malformed: bool,
}

/// A value put together: its octets, and the charset it names (RFC 2231 4), if it names one.
struct Value<'p> {
    octets: Cow<'p, [u8]>,
    charset: Option<&'p [u8]>,
}

impl<'a> Parameters<'a> {
    /// Reads what stands behind the first word of a field; at most `Limits::mime_parameters` of them.
    pub(super) fn read(cursor: &mut Cursor<'a>, limits: &Limits) -> Self {
        let mut parameters = Self::default();
        while parameters.list.len() < limits.mime_parameters {
            cursor.skip_separators();
            if cursor.at_end() {
                return parameters;
            }
            match cursor.parameter(&mut parameters.are_malformed) {
                Some(parameter) => parameters.list.push(parameter),
                None => parameters.are_malformed = true,
            }
        }
        cursor.skip_separators();
        parameters.are_malformed |= !cursor.at_end();
        parameters
    }

    /// The octets of the parameter *name*, pieces joined, no charset applied.
    pub(super) fn octets(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.find(name).map(|value| value.octets)
    }

    /// The parameter *name* as text: RFC 2231, or encoded-words as many clients write them, or bare UTF-8.
    pub(super) fn text(&self, name: &str, anomalies: &mut AnomalySet) -> Option<String> {
        let value = self.find(name)?;
        Some(match value.charset {
            Some(b"") => decode_charset(&value.octets, b"utf-8", anomalies),
            Some(charset) => decode_charset(&value.octets, charset, anomalies),
            None => decode_text(&value.octets, anomalies),
        })
    }

    /// Looks for `name*`, then for the pieces `name*0`, `name*1*`.., then for `name`: clients that send several forms
    /// mean the first of these for those who understand it.
    fn find(&self, name: &str) -> Option<Value<'_>> {
        let mut plain = None;
        let mut pieces = Vec::new();
        for (written, value) in &self.list {
            match suffix(written, name.as_bytes()) {
                Some(b"*") => return Some(extended(value)),
                Some(b"") => plain = plain.or(Some(value)),
                Some(piece) => pieces
                    .extend(piece_number(piece).map(|(number, escaped)| (number, escaped, value))),
                None => {}
            }
        }
        if pieces.is_empty() {
            return plain.map(|value| Value {
                octets: Cow::Borrowed(value),
                charset: None,
            });
        }
        pieces.sort_by_key(|&(number, ..)| number);
        pieces.dedup_by_key(|&mut (number, ..)| number);
        Some(join(&pieces))
    }
}

/// What follows *name* in a parameter's *written* name: nothing, or from the first `*` on.
fn suffix<'w>(written: &'w [u8], name: &[u8]) -> Option<&'w [u8]> {
    let (head, rest) = written.split_at_checked(name.len())?;
    (head.eq_ignore_ascii_case(name) && matches!(rest.first(), None | Some(b'*'))).then_some(rest)
}

/// Reads `*3` or `*3*`: the number, and whether the piece is percent-encoded (RFC 2231 3, 4.1).
fn piece_number(suffix: &[u8]) -> Option<(u16, bool)> {
    let digits = suffix.strip_prefix(b"*")?;
    let (digits, escaped) = digits
        .strip_suffix(b"*")
        .map_or((digits, false), |digits| (digits, true));
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, escaped))
}

/// Joins sorted pieces; only the first tells the charset. A missing piece is passed over.
fn join<'p>(pieces: &[(u16, bool, &'p Cow<'_, [u8]>)]) -> Value<'p> {
    let mut octets = Vec::new();
    let mut charset = None;
    for (index, (_, escaped, piece)) in pieces.iter().enumerate() {
        match (*escaped, index) {
            (true, 0) => {
                let first = extended(piece);
                charset = first.charset;
                octets.extend_from_slice(&first.octets);
            }
            (true, _) => octets.extend_from_slice(&percent_decoded(piece)),
            (false, _) => octets.extend_from_slice(piece),
        }
    }
    Value {
        octets: Cow::Owned(octets),
        charset,
    }
}

/// Reads `charset'language'percent-encoded` (RFC 2231 4); without the quotes it is all percent-encoded.
fn extended(value: &[u8]) -> Value<'_> {
    let mut fields = value.splitn(3, |&o| o == b'\'');
    match (fields.next(), fields.next(), fields.next()) {
        (Some(charset), Some(_language), Some(text)) => Value {
            octets: percent_decoded(text),
            charset: Some(charset),
        },
        _ => Value {
            octets: percent_decoded(value),
            charset: Some(b""),
        },
    }
}

fn percent_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = match (octet, tail) {
            (b'%', [high, low, tail @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                decoded.push(hex_value(*high) << 4 | hex_value(*low));
                tail
            }
            _ => {
                decoded.push(octet);
                tail
            }
        };
    }
    Cow::Owned(decoded)
}

/// A place in the raw value of a field, folds included.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(raw: &'a [u8]) -> Self {
        Self { rest: raw }
    }

    pub(super) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes *octet* if it stands here, blanks and comments before it included.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        self.skip_blanks_and_comments();
        let stands_here = self.rest.first() == Some(&octet);
        if stands_here {
            self.rest = &self.rest[1..];
        }
        stands_here
    }

    /// Takes a word: anything up to a blank or one of `/;=(",`. It may be empty.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip_blanks_and_comments();
        self.take_while(|o| !is_blank(o) && !matches!(o, b'/' | b';' | b'=' | b'(' | b'"' | b','))
    }

    /// Blanks, fold line ends and other controls, and comments (RFC 5322 3.2.2). An open comment goes to the end.
    fn skip_blanks_and_comments(&mut self) {
        loop {
            self.take_while(is_blank);
            if self.rest.first() != Some(&b'(') {
                return;
            }
            self.skip_comment();
        }
    }

    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        let mut at = 0;
        while let Some(&octet) = self.rest.get(at) {
            match octet {
                b'\\' => at += 1,
                b'(' => depth += 1,
                b')' => depth -= 1, // the first octet is a `(`, and the loop ends at depth 0
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
    }

    fn skip_separators(&mut self) {
        while self.take(b';') || self.take(b',') {}
    }

    /// Takes one `name=value`. None if there is no such thing here; then something was skipped all the same.
    fn parameter(&mut self, is_malformed: &mut bool) -> Option<(&'a [u8], Cow<'a, [u8]>)> {
        let name = self.word();
        if !self.take(b'=') {
            if name.is_empty() {
                self.rest = self.rest.get(1..).unwrap_or_default();
            }
            return None;
        }
        self.skip_blanks_and_comments();
        let value = match self.rest.split_first() {
            Some((b'"', inside)) => {
                self.rest = inside;
                self.quoted(is_malformed)
            }
            _ => self.unquoted(is_malformed),
        };
        Some((name, value))
    }

    /// Takes the rest of a quoted string, its closing quote, and what wrongly stands between that and the next semicolon.
    fn quoted(&mut self, is_malformed: &mut bool) -> Cow<'a, [u8]> {
        let inside = self.rest;
        let mut at = 0;
        let mut has_escapes = false;
        let closed = loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', &inside[at..]) else {
                break false;
            };
            at += found;
            if inside[at] == b'"' {
                break true;
            }
            has_escapes = true;
            at = (at + 2).min(inside.len());
        };
        let end = if closed { at } else { inside.len() };
        self.rest = inside.get(end + 1..).unwrap_or_default();
        *is_malformed |= !closed;
        if !self
            .rest
            .first()
            .is_none_or(|&o| is_blank(o) || matches!(o, b';' | b'(' | b','))
        {
            *is_malformed = true;
            self.take_while(|o| o != b';');
        }
        let value = unfolded(&inside[..end]);
        if has_escapes {
            Cow::Owned(unescaped(&value))
        } else {
            value
        }
    }

    /// Takes a value without quotes: a word, or several if the blanks between them can't be the end of the parameter.
    fn unquoted(&mut self, is_malformed: &mut bool) -> Cow<'a, [u8]> {
        let start = self.rest;
        let mut length = 0;
        loop {
            length += self.take_while(|o| !is_blank(o) && o != b';').len();
            let blanks = self.take_while(is_blank).len();
            if !self.at_word_of_value() {
                *is_malformed |=
                    blanks > 0 && !matches!(self.rest.first(), None | Some(b';' | b'('));
                return unfolded(&start[..length]);
            }
            *is_malformed = true;
            length += blanks;
        }
    }

    /// True if what stands here continues a value: not the end, a comment, or the `name=` of a next parameter.
    fn at_word_of_value(&self) -> bool {
        let word = self
            .rest
            .iter()
            .position(|&o| is_blank(o) || o == b';')
            .map_or(self.rest, |end| &self.rest[..end]);
        !matches!(word.first(), None | Some(b'(')) && memchr::memchr(b'=', word).is_none()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self
            .rest
            .iter()
            .position(|&o| !wanted(o))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

const fn is_blank(octet: u8) -> bool {
    octet <= b' '
}

/// Without the line ends of folds; their blanks stay (RFC 5322 2.2.3).
fn unfolded(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(
        raw.iter()
            .copied()
            .filter(|o| !matches!(o, b'\r' | b'\n'))
            .collect(),
    )
}

fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = match (octet, tail) {
            (b'\\', [escaped @ (b'"' | b'\\'), tail @ ..]) => {
                plain.push(*escaped);
                tail
            }
            _ => {
                plain.push(octet);
                tail
            }
        };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(raw: &[u8]) -> Parameters<'_> {
        Parameters::read(&mut Cursor::new(raw), &Limits::default())
    }

    #[test]
    fn parameters_are_read_as_the_grammar_says_and_as_they_come() {
        // (raw, name, value, malformed)
        let cases: &[(&str, &str, Option<&str>, bool)] = &[
            ("; charset=utf-8", "charset", Some("utf-8"), false),
            (";CharSet=utf-8;", "charset", Some("utf-8"), false),
            ("; charset = \"utf-8\" ; ; x=y", "x", Some("y"), false),
            (
                "; charset=us-ascii (Plain text); x=y",
                "charset",
                Some("us-ascii"),
                false,
            ),
            (
                "; (a (nested \\) ) comment) name=x",
                "name",
                Some("x"),
                false,
            ),
            ("; name=\"a;b\\\"c\\\\d\"", "name", Some("a;b\"c\\d"), false),
            (
                "; name=\"C:\\temp\\x.pdf\"",
                "name",
                Some("C:\\temp\\x.pdf"),
                false,
            ),
            ("; name=\"a\r\n b\"; x=y", "name", Some("a b"), false),
            (
                ";\r\n\tboundary=\"----=_Part\"",
                "boundary",
                Some("----=_Part"),
                false,
            ),
            (
                "; boundary=----=_Part_1.2",
                "boundary",
                Some("----=_Part_1.2"),
                false,
            ),
            (
                "; name=report(1)[2].pdf",
                "name",
                Some("report(1)[2].pdf"),
                false,
            ),
            ("; name=\"\"", "name", Some(""), false),
            ("; name=", "name", Some(""), false),
            ("; name=a; NAME=b", "name", Some("a"), false),
            (
                "; name=My big file.pdf; x=y",
                "name",
                Some("My big file.pdf"),
                true,
            ),
            ("; name=My big file.pdf; x=y", "x", Some("y"), true),
            (
                "; charset=utf-8 format=flowed",
                "charset",
                Some("utf-8"),
                true,
            ),
            (
                "; charset=utf-8 format=flowed",
                "format",
                Some("flowed"),
                true,
            ),
            (" charset=utf-8", "charset", Some("utf-8"), false),
            ("; name=\"a\" x=y", "x", Some("y"), false),
            (
                "; name=\"never closed; x=y",
                "name",
                Some("never closed; x=y"),
                true,
            ),
            ("; name=\"ends in \\", "name", Some("ends in \\"), true),
            ("; name=\"a\"b\"; x=y", "x", Some("y"), true),
            ("; junk; x=y", "x", Some("y"), true),
            ("; =x; \"quoted\"; /; x=y", "x", Some("y"), true),
            ("; (open comment x=y", "x", None, false),
            ("; xname=a", "name", None, false),
            ("; namex=a", "name", None, false),
            ("", "name", None, false),
        ];
        for (raw, name, expected, malformed) in cases {
            let parameters = read(raw.as_bytes());
            let value = parameters.octets(name);
            assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{raw:?}");
            assert_eq!(parameters.are_malformed, *malformed, "{raw:?}");
        }
    }

    #[test]
    fn rfc_2231_values_are_put_together() {
        let cases: &[(&str, &[u8], Option<&str>)] = &[
            (
                "; n*=utf-8''%e2%82%ac%20rates",
                "€ rates".as_bytes(),
                Some("utf-8"),
            ),
            ("; n*=UTF-8'en'a%zz%4", b"a%zz%4", Some("UTF-8")),
            ("; n*=''plain", b"plain", Some("")),
            ("; n*=no-quotes%21", b"no-quotes!", Some("")),
            ("; n*0=a; n*1=b; n*2=c", b"abc", None),
            ("; n*2=c; n*0=a; n*1=\"b;\"", b"ab;c", None),
            (
                "; n*0*=iso-8859-1''%fc; n*1=%41; n*2*=%42",
                b"\xfc%41B",
                Some("iso-8859-1"),
            ),
            (
                "; n*0*=utf-8''%e2%82; n*1*=%ac",
                "€".as_bytes(),
                Some("utf-8"),
            ),
            ("; n*1=b; n*3=d", b"bd", None),
            ("; n*0=a; n*0=z; n*1=b", b"ab", None),
            ("; n=ascii; n*=utf-8''better", b"better", Some("utf-8")),
            ("; n=ascii; n*0=bet; n*1=ter", b"better", None),
            ("; n=ascii; n*x=bad", b"ascii", None),
            ("; n=ascii; n*99999999=bad", b"ascii", None),
        ];
        for (raw, octets, charset) in cases {
            let parameters = read(raw.as_bytes());
            let value = parameters.find("n").unwrap();
            assert_eq!(&*value.octets, *octets, "{raw:?}");
            assert_eq!(value.charset, charset.map(str::as_bytes), "{raw:?}");
        }
    }

    #[test]
    fn their_number_is_bounded() {
        let raw = "; a=b".repeat(10_000);
        let parameters = read(raw.as_bytes());
        assert_eq!(parameters.list.len(), Limits::default().mime_parameters);
        assert!(parameters.are_malformed);
    }

    proptest! {
        #[test]
        fn junk_never_panics(raw in prop::collection::vec(prop::sample::select(&b"n*0'%4\"\\()=;,/ \r\nx\xff"[..]), 0..200)) {
            let parameters = read(&raw);
            let _ = parameters.text("n", &mut AnomalySet::default());
        }

        #[test]
        fn quoted_values_come_back(value in "[ -~]{0,40}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let raw = format!("; a=b; n=\"{escaped}\"; c=d");
            let parameters = read(raw.as_bytes());
            prop_assert_eq!(parameters.octets("n"), Some(Cow::Borrowed(value.as_bytes())));
            prop_assert_eq!(parameters.octets("c"), Some(Cow::Borrowed(&b"d"[..])));
            prop_assert!(!parameters.are_malformed);
        }
    }
}
