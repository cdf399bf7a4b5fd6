//! The parameters of Content-Type and Content-Disposition, pieces and charsets put together (RFC 2231). Of equal names the first counts.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::quoted_printable::hex_value;
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
                Some(piece) => pieces.extend(piece_number(piece).map(|(number, escaped)| (number, escaped, value))),
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
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
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
            ("; (a (nested \\) ) comment) name=x", "name", Some("x"), false),
            ("; name=\"a;b\\\"c\\\\d\"", "name", Some("a;b\"c\\d"), false),
            ("; name=\"C:\\temp\\x.pdf\"", "name", Some("C:\\temp\\x.pdf"), false),
            ("; name=\"a\r\n b\"; x=y", "name", Some("a b"), false),
            (";\r\n\tboundary=\"----=_Part\"", "boundary", Some("----=_Part"), false),
            ("; boundary=----=_Part_1.2", "boundary", Some("----=_Part_1.2"), false),
            ("; name=report(1)[2].pdf", "name", Some("report(1)[2].pdf"), false),
            ("; name=\"\"", "name", Some(""), false),
            ("; name=", "name", Some(""), false),
            ("; name=a; NAME=b", "name", Some("a"), false),
            ("; name=My big file.pdf; x=y", "name", Some("My big file.pdf"), true),
            ("; name=My big file.pdf; x=y", "x", Some("y"), true),
            ("; charset=utf-8 format=flowed", "charset", Some("utf-8"), true),
            ("; charset=utf-8 format=flowed", "format", Some("flowed"), true),
            (" charset=utf-8", "charset", Some("utf-8"), false),
            ("; name=\"a\" x=y", "x", Some("y"), false),
            ("; name=\"never closed; x=y", "name", Some("never closed; x=y"), true),
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
            ("; n*=utf-8''%e2%82%ac%20rates", "€ rates".as_bytes(), Some("utf-8")),
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
            ("; n*0*=utf-8''%e2%82; n*1*=%ac", "€".as_bytes(), Some("utf-8")),
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
