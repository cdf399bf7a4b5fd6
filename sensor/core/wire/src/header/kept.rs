//! A field that the artifact table names, kept raw.

use std::borrow::Cow;

use super::section::Field;
use super::text::{trim, unfold};
use crate::anomaly::{Anomaly, AnomalySet};
use crate::message::KeptField;

/// *field* at *position*, below *received_above* Received lines. A value beyond *octets_max* is cut at a character, and noted.
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
        value: value(field.value, octets_max, anomalies),
        position,
        received_above,
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
