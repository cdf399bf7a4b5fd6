//! Encoded-words in header fields (RFC 2047), and text that should have been encoded and was not.
//!
//! Read as mail programs read them, which is looser than the rules:
//!
//! - an encoded-word counts anywhere in the text, also inside quotes and without blanks around it (section 5 forbids it);
//! - blanks between adjacent encoded-words are dropped (6.2), and where their charset agrees their octets are joined before
//!   they are decoded, since many mailers split a character between two words (section 5 forbids that too);
//! - a language after the charset, `utf-8*en` (RFC 2231 5), is dropped;
//! - raw blanks and folds inside a Q word are text, inside a B word they are nothing.
//!
//! What does not parse as an encoded-word stays as written.
//!
//! Cost is linear: the search for a word's end is remembered, so it passes over no octet twice.

use memchr::{memchr, memmem};

use super::base64;
pub use super::charset::decode_charset;
use super::charset::is_utf8;
use super::text::{is_blank, push_utf8, unfold};
use crate::anomaly::{Anomaly, AnomalySet};

/// Decodes the unstructured or phrase text *raw*: encoded-words, bare UTF-8, and whatever else comes.
///
/// Folds become blanks. Never fails: what can't be decoded stays as written or holds U+FFFD, and an anomaly says so.
#[must_use]
pub fn decode_text(raw: &[u8], anomalies: &mut AnomalySet) -> String {
    let mut words = Words::new(raw);
    let mut text = String::with_capacity(raw.len());
    let (mut done, mut pending) = (0, Pending::default());
    while let Some(found) = words.next(anomalies) {
        let between = &raw[done..found.start];
        let is_adjacent = !pending.charset.is_empty() && between.iter().all(|&octet| is_blank(octet));
        if !(is_adjacent && pending.charset.eq_ignore_ascii_case(found.charset)) {
            pending.flush(&mut text, anomalies);
        }
        if !is_adjacent {
            push_utf8(&mut text, &unfold(between), anomalies);
        }
        pending.add(&found, anomalies);
        done = found.end;
    }
    pending.flush(&mut text, anomalies);
    push_utf8(&mut text, &unfold(&raw[done..]), anomalies);
    text
}

/// Octets of adjacent encoded-words of one charset, not yet decoded.
#[derive(Default)]
struct Pending<'a> {
    /// Empty if there are none.
    charset: &'a [u8],
    octets: Vec<u8>,
}

impl<'a> Pending<'a> {
    fn add(&mut self, word: &EncodedWord<'a>, anomalies: &mut AnomalySet) {
        let octets = word.octets(anomalies);
        let begins_inside_character = octets.first().is_some_and(|octet| octet & 0xc0 == 0x80);
        if begins_inside_character && is_utf8(word.charset) {
            anomalies.insert(Anomaly::HeaderMalformedEncodedWord);
        }
        self.charset = word.charset;
        if self.octets.is_empty() {
            self.octets = octets;
        } else {
            self.octets.extend_from_slice(&octets);
        }
    }

    fn flush(&mut self, text: &mut String, anomalies: &mut AnomalySet) {
        if !self.charset.is_empty() {
            text.push_str(&decode_charset(&self.octets, self.charset, anomalies));
        }
        *self = Self::default();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    B,
    Q,
}

/// One encoded-word where it stands in the text.
#[derive(Debug)]
struct EncodedWord<'a> {
    start: usize,
    end: usize,
    /// Without the language.
    charset: &'a [u8],
    encoding: Encoding,
    encoded: &'a [u8],
}

impl EncodedWord<'_> {
    fn octets(&self, anomalies: &mut AnomalySet) -> Vec<u8> {
        let decoded = match self.encoding {
            Encoding::B => base64::decode(self.encoded),
            Encoding::Q => decode_q(&unfold(self.encoded)),
        };
        if !decoded.is_clean {
            anomalies.insert(Anomaly::HeaderMalformedEncodedWord);
        }
        decoded.octets
    }
}

/// Finds the encoded-words of a text in order.
struct Words<'a> {
    raw: &'a [u8],
    /// Where the next opening may begin: behind the last one, or behind its word.
    from: usize,
    terminator: Terminator,
}

impl<'a> Words<'a> {
    fn new(raw: &'a [u8]) -> Self {
        Self {
            raw,
            from: 0,
            terminator: Terminator::NotSought,
        }
    }

    fn next(&mut self, anomalies: &mut AnomalySet) -> Option<EncodedWord<'a>> {
        loop {
            let start = self.from + memchr(b'=', self.raw.get(self.from..)?)?;
            self.from = start + 1;
            let opened = self.raw[self.from..].strip_prefix(b"?");
            let Some(charset) = opened.and_then(charset_at) else {
                continue;
            };
            if let Some(word) = self.word_at(start, charset) {
                self.from = word.end;
                return Some(word);
            }
            anomalies.insert(Anomaly::HeaderMalformedEncodedWord);
        }
    }

    /// The encoded-word at *start*, where `=?`, *charset* and `?` stand.
    fn word_at(&mut self, start: usize, charset: &'a [u8]) -> Option<EncodedWord<'a>> {
        let text_start = start + 2 + charset.len() + 3;
        let encoding = match self.raw.get(text_start - 2..text_start)? {
            b"B?" | b"b?" => Encoding::B,
            b"Q?" | b"q?" => Encoding::Q,
            _ => return None,
        };
        let text_end = self.terminator.at_or_after(self.raw, text_start)?;
        let encoded = &self.raw[text_start..text_end];
        if memmem::find(encoded, b"=?").is_some() {
            return None; // another word begins inside: this one lost its end
        }
        Some(EncodedWord {
            start,
            end: text_end + 2,
            charset: charset.split(|&octet| octet == b'*').next().unwrap_or_default(),
            encoding,
            encoded,
        })
    }
}

/// The charset with its language, if *rest* begins with one and a `?`; text that merely holds `=?` does not.
fn charset_at(rest: &[u8]) -> Option<&[u8]> {
    let octets = rest.iter().position(|&octet| !is_charset_octet(octet))?;
    (octets > 0 && rest[0] != b'*' && rest[octets] == b'?').then_some(&rest[..octets])
}

/// Where the next `?=` stands, remembered.
#[derive(Clone, Copy)]
enum Terminator {
    NotSought,
    At(usize),
    /// There is no further one.
    Absent,
}

impl Terminator {
    fn at_or_after(&mut self, raw: &[u8], from: usize) -> Option<usize> {
        let is_known = match *self {
            Self::At(at) => at >= from,
            Self::Absent => true,
            Self::NotSought => false,
        };
        if !is_known {
            let found = raw.get(from..).and_then(|rest| memmem::find(rest, b"?="));
            *self = found.map_or(Self::Absent, |at| Self::At(from + at));
        }
        match *self {
            Self::At(at) => Some(at),
            _ => None,
        }
    }
}

/// True for octets of a charset name and its language: a token of RFC 2047 2.
const fn is_charset_octet(octet: u8) -> bool {
    octet.is_ascii_graphic()
        && !matches!(
            octet,
            b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'"' | b'/' | b'[' | b']' | b'?' | b'.' | b'='
        )
}

/// Undoes the Q encoding (RFC 2047 4.2). Raw blanks and an `=` without two hex digits stay as they are, uncleanly.
fn decode_q(encoded: &[u8]) -> base64::Decoded {
    let mut decoded = base64::Decoded {
        octets: Vec::with_capacity(encoded.len()),
        is_clean: true,
    };
    let mut rest = encoded;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        let value = match octet {
            b'_' => b' ',
            b'=' => match hex_pair(after) {
                Some(value) => {
                    rest = &after[2..];
                    value
                }
                None => {
                    decoded.is_clean = false;
                    b'='
                }
            },
            _ => {
                decoded.is_clean &= !is_blank(octet);
                octet
            }
        };
        decoded.octets.push(value);
    }
    decoded
}

/// The octet that two hex digits at the start of *rest* stand for.
fn hex_pair(rest: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(raw: &[u8]) -> (String, Vec<Anomaly>) {
        let mut anomalies = AnomalySet::default();
        let text = decode_text(raw, &mut anomalies);
        (text, anomalies.iter().collect())
    }

    #[test]
    fn decodes_words_and_leaves_other_text() {
        let table: &[(&str, &str)] = &[
            ("", ""),
            ("plain text", "plain text"),
            ("a\r\n b", "a b"),
            ("bare \u{e9}", "bare \u{e9}"),
            ("=?utf-8?Q?=C3=A9?=", "\u{e9}"),
            ("=?UTF-8?b?w6k=?=", "\u{e9}"),
            ("=?utf-8*en?q?a_b=5f?=", "a b_"),
            ("a =?utf-8?q?b?= c", "a b c"),
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?=\r\n\t =?utf-8?b?Yg==?= c", "ab c"),
            ("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
            ("=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "a\u{e9}"),
            ("\"=?utf-8?q?a?=\" <x>", "\"a\" <x>"),
            ("x=?utf-8?q?a?=y", "xay"),
            ("=?utf-8?q??=", ""),
            ("=?utf-8?q?what??=", "what?"),
            ("is a =? b ?= c", "is a =? b ?= c"),
            ("=?", "=?"),
            ("http://x/?a=?&b=", "http://x/?a=?&b="),
            ("=?iso-2022-jp?B?GyRCRnwbKEI=?=", "\u{65e5}"),
        ];
        for (raw, expected) in table {
            assert_eq!(decode(raw.as_bytes()), ((*expected).to_owned(), vec![]), "{raw}");
        }
    }

    #[test]
    fn broken_words_are_read_as_far_as_they_go_and_noted() {
        use Anomaly::{
            HeaderMalformedEncodedWord as Malformed, HeaderNotUtf8 as NotUtf8, HeaderUnknownCharset as Unknown,
        };
        let table: &[(&[u8], &str, &[Anomaly])] = &[
            (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "\u{e9}", &[Malformed]),
            (b"=?utf-8?b?w6?= =?UTF-8?q?=A9?=", "\u{e9}", &[Malformed]),
            (b"=?utf-8?q?=C3?=x", "\u{fffd}x", &[Malformed]),
            (b"=?utf-8?b?w6k?=", "\u{e9}", &[Malformed]),
            (b"=?utf-8?q?a b?=", "a b", &[Malformed]),
            (b"=?utf-8?q?a=4?=", "a=4", &[Malformed]),
            (b"=?utf-8?q?no end", "=?utf-8?q?no end", &[Malformed]),
            (b"=?utf-8?q?no end =?utf-8?q?a?=", "=?utf-8?q?no end a", &[Malformed]),
            (b"=?utf-8?x?a?=", "=?utf-8?x?a?=", &[Malformed]),
            (b"=?utf-8?", "=?utf-8?", &[Malformed]),
            (b"=?nonsense?q?=C3=A9?=", "\u{e9}", &[Unknown]),
            (b"=?nonsense?q?=E9?=", "\u{e9}", &[Unknown]),
            (b"a\xe9b", "a\u{fffd}b", &[NotUtf8]),
            (b"\xe9=?utf-8?q?a?=", "\u{fffd}a", &[NotUtf8]),
        ];
        for (raw, expected, anomalies) in table {
            assert_eq!(decode(raw), ((*expected).to_owned(), anomalies.to_vec()), "{raw:?}");
        }
    }

    /// *text* as words of at most *octets* each, which may split characters.
    fn encode(text: &str, octets: usize, use_b: bool) -> String {
        use ::base64::{engine::general_purpose::STANDARD, Engine};
        let q = |chunk: &[u8]| chunk.iter().map(|octet| format!("={octet:02X}")).collect::<String>();
        let words = text.as_bytes().chunks(octets).map(|chunk| match use_b {
            true => format!("=?utf-8?B?{}?=", STANDARD.encode(chunk)),
            false => format!("=?utf-8?Q?{}?=", q(chunk)),
        });
        words.collect::<Vec<_>>().join("\r\n ")
    }

    proptest! {
        #[test]
        fn encoded_text_reads_back(text in "\\PC{0,20}", octets in 1_usize..50, use_b: bool) {
            prop_assert_eq!(decode(encode(&text, octets, use_b).as_bytes()).0, text);
        }

        #[test]
        fn text_without_words_is_itself(text in "[ -<>-~\u{e9}\u{65e5}]{0,30}") {
            prop_assert_eq!(decode(text.as_bytes()), (text, vec![]));
        }

        #[test]
        fn any_text_is_read(raw in "(=|\\?|utf-8|q|b|YQ|_| |\r\n |\\*|\u{e9}){0,40}") {
            let _ = decode(raw.as_bytes());
        }
    }
}
