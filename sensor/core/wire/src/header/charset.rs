//! Octets in a named charset as text.
//!
//! Labels are those of the WHATWG Encoding Standard, which is what mail programs follow in practice (`iso-8859-1` is read as
//! windows-1252), with the aliases that mail adds. UTF-7 (RFC 2152) is read and noted: no sender of today needs it, and it
//! hides text from filters.

use encoding_rs::{Encoding, BIG5, EUC_KR, GBK, SHIFT_JIS, UTF_16BE, UTF_8, WINDOWS_1252};

use super::base64;
use super::text::trim;
use crate::anomaly::{Anomaly, AnomalySet};

/// Decodes *octets* that stand in the charset named *label*, e.g. `iso-8859-1` (any case, WHATWG labels).
///
/// An unknown label is read as UTF-8 where it is valid, else as windows-1252, and noted. Octets that the charset does not
/// know become U+FFFD, which is noted as a broken encoded-word.
#[must_use]
pub fn decode_charset(octets: &[u8], label: &[u8], anomalies: &mut AnomalySet) -> String {
    let label = trim(label);
    if is_utf7(label) {
        anomalies.insert(Anomaly::HeaderUtf7);
        return decode_utf7(octets, anomalies);
    }
    let Some(encoding) = encoding(label) else {
        anomalies.insert(Anomaly::HeaderUnknownCharset);
        return match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            Err(_) => WINDOWS_1252.decode(octets).0.into_owned(),
        };
    };
    let (text, _, had_errors) = encoding.decode(octets);
    if had_errors {
        anomalies.insert(Anomaly::HeaderMalformedEncodedWord);
    }
    text.into_owned()
}

/// True if *label* names UTF-8, in whose octets a character's start can be told.
#[must_use]
pub fn is_utf8(label: &[u8]) -> bool {
    encoding(label) == Some(UTF_8)
}

fn encoding(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label).or_else(|| mail_alias(label))
}

/// Labels that stand in mail and not in the Encoding Standard.
fn mail_alias(label: &[u8]) -> Option<&'static Encoding> {
    const ALIASES: [(&[u8], &Encoding); 6] = [
        (b"cp932", SHIFT_JIS),
        (b"cp936", GBK),
        (b"cp949", EUC_KR),
        (b"cp950", BIG5),
        (b"utf8mb4", UTF_8),
        (b"cp-1252", WINDOWS_1252),
    ];
    ALIASES
        .iter()
        .find(|(alias, _)| label.eq_ignore_ascii_case(alias))
        .map(|&(_, encoding)| encoding)
}

fn is_utf7(label: &[u8]) -> bool {
    [&b"utf-7"[..], b"utf7", b"unicode-1-1-utf-7"]
        .iter()
        .any(|alias| label.eq_ignore_ascii_case(alias))
}

/// UTF-7: `+` begins a run of base64 over UTF-16, whose end may be marked with `-`; `+-` is a plus sign (RFC 2152).
fn decode_utf7(octets: &[u8], anomalies: &mut AnomalySet) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some(plus) = memchr::memchr(b'+', rest) {
        text.push_str(&String::from_utf8_lossy(&rest[..plus]));
        rest = &rest[plus + 1..];
        let run = rest.iter().take_while(|&&octet| base64::is_digit(octet)).count();
        let (digits, after) = rest.split_at(run);
        rest = after.strip_prefix(b"-").unwrap_or(after);
        if digits.is_empty() {
            text.push('+');
            continue;
        }
        let units = base64::decode(digits).octets;
        let (decoded, had_errors) = UTF_16BE.decode_without_bom_handling(&units);
        if had_errors {
            anomalies.insert(Anomaly::HeaderMalformedEncodedWord);
        }
        text.push_str(&decoded);
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_by_label() {
        use Anomaly::{HeaderMalformedEncodedWord as Malformed, HeaderUnknownCharset as Unknown, HeaderUtf7 as Utf7};
        let table: &[(&[u8], &str, &str, &[Anomaly])] = &[
            (b"\xc3\xa9", "utf-8", "\u{e9}", &[]),
            (b"\xc3\xa9", "UTF8", "\u{e9}", &[]),
            (b"\xe9\x80", "iso-8859-1", "\u{e9}\u{20ac}", &[]),
            (b"\xe9", "cp1252", "\u{e9}", &[]),
            (b"\xf9", "iso-8859-8-i", "\u{5e9}", &[]),
            (b"\x93\xfa", "cp932", "\u{65e5}", &[]),
            (b"\x1b$BF|\x1b(B", "iso-2022-jp", "\u{65e5}", &[]),
            (b"a\xff", "utf-8", "a\u{fffd}", &[Malformed]),
            (b"\xe9", "unknown-8bit", "\u{e9}", &[Unknown]),
            (b"\xc3\xa9", "x-nonsense", "\u{e9}", &[Unknown]),
            (b"a", "", "a", &[Unknown]),
            (b"a\xff", "\u{fc}", "a\u{ff}", &[Unknown]),
            (
                b"Fwd: +AOk- 1 +- 1 +ZeVnLIqe",
                "utf-7",
                "Fwd: \u{e9} 1 + 1 \u{65e5}\u{672c}\u{8a9e}",
                &[Utf7],
            ),
            (b"+2D0", "utf-7", "\u{fffd}", &[Malformed, Utf7]),
        ];
        for (octets, label, expected, notes) in table {
            let mut anomalies = AnomalySet::default();
            assert_eq!(
                decode_charset(octets, label.as_bytes(), &mut anomalies),
                *expected,
                "{label}"
            );
            assert_eq!(anomalies.iter().collect::<Vec<_>>(), *notes, "{label}");
        }
    }
}
