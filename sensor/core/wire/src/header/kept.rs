//! A field that the artifact table names, kept raw.

use std::borrow::Cow;

use memchr::memchr;

use super::section::Field;
use super::text::{trim, unfold};
use crate::anomaly::{Anomaly, AnomalySet};
use crate::message::KeptField;

/// *field* at *position*, below *received_above* Received lines. A value beyond *octets_max* is cut at a character, and noted.
///
/// Of a DKIM signature only the tag that names its domain is kept: ordinary mail has one or two, and hashes, keys and the list
/// of what was signed are nine tenths of them.
#[must_use]
pub fn keep(
    field: &Field<'_>,
    position: u32,
    received_above: u32,
    octets_max: usize,
    anomalies: &mut AnomalySet,
) -> KeptField {
    KeptField {
        name: String::from_utf8_lossy(field.name).into_owned(),
        value: value(told(field), octets_max, anomalies),
        position,
        received_above,
    }
}

/// What of *field* is kept.
fn told<'a>(field: &Field<'a>) -> &'a [u8] {
    if field.name.eq_ignore_ascii_case(b"dkim-signature") {
        signing_domain(field.value)
    } else {
        field.value
    }
}

/// The tag `d=` of a signature, as it stands there (RFC 6376 3.2, 3.5); empty if there is none.
fn signing_domain(signature: &[u8]) -> &[u8] {
    let mut rest = signature;
    loop {
        let (tag, behind) = match memchr(b';', rest) {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        let tag = tag.trim_ascii();
        let value = tag.strip_prefix(b"d").map(<[u8]>::trim_ascii_start);
        if value.is_some_and(|value| value.starts_with(b"=")) {
            return tag;
        }
        match behind {
            Some(behind) => rest = behind,
            None => return b"",
        }
    }
}

fn value(raw: &[u8], octets_max: usize, anomalies: &mut AnomalySet) -> String {
    let line = unfold(trim(raw));
    let mut value = match String::from_utf8_lossy(&line) {
        Cow::Borrowed(valid) => valid.to_owned(),
        Cow::Owned(replaced) => {
            anomalies.insert(Anomaly::HeaderNotUtf8);
            replaced
        }
    };
    if value.len() > octets_max {
        let end = (0..=octets_max).rev().find(|&end| value.is_char_boundary(end));
        value.truncate(end.unwrap_or(0));
        anomalies.insert(Anomaly::HeaderKeptFieldCut);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_signature_only_its_domain_is_kept() {
        let table: &[(&[u8], &str)] = &[
            (
                b" v=1; a=rsa-sha256; d=shop.example;\r\n s=s1; b=AA==",
                "d=shop.example",
            ),
            (b"d=a.example", "d=a.example"),
            (b"v=1;\r\n\td = a.example ;s=x", "d = a.example"),
            (b"v=1; dd=x; bd=y; s=d; d=a.example", "d=a.example"),
            (b"v=1; s=d", ""),
            (b";;;", ""),
            (b"", ""),
        ];
        for (raw, expected) in table {
            for name in [&b"DKIM-Signature"[..], b"dkim-signature"] {
                let field = Field { name, value: raw };
                let kept = keep(&field, 0, 0, 4_096, &mut AnomalySet::default());
                assert_eq!(kept.value, *expected, "{}", raw.escape_ascii());
            }
        }
        let whole = Field {
            name: b"X-Google-DKIM-Signature",
            value: b"v=1; d=a",
        };
        assert_eq!(keep(&whole, 0, 0, 4_096, &mut AnomalySet::default()).value, "v=1; d=a");
    }

    #[test]
    fn a_value_is_unfolded_trimmed_and_cut_at_a_character() {
        let table: &[(&[u8], &str, bool)] = &[
            (b" a\r\n\tb ", "a b", false),
            (b"=?x?Q?a?=", "=?x?Q?a?", true),
            (b"12345678", "12345678", false),
            ("1234567\u{e9}".as_bytes(), "1234567", true),
            (b"\xff", "\u{fffd}", false),
            (b"", "", false),
        ];
        for (raw, expected, cut) in table {
            let mut anomalies = AnomalySet::default();
            assert_eq!(value(raw, 8, &mut anomalies), *expected, "{raw:?}");
            assert_eq!(anomalies.contains(Anomaly::HeaderKeptFieldCut), *cut, "{raw:?}");
        }
    }
}
