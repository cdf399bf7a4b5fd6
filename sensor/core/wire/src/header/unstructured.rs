//! Unstructured text (RFC 5322 3.2.5): Subject, Thread-Topic.

use super::encoded_word::decode_text;
use super::text::trim;
use crate::anomaly::AnomalySet;

/// *raw* trimmed, unfolded and decoded (RFC 2047). An empty value is an empty text: the field is there.
#[must_use]
pub fn parse(raw: &[u8], anomalies: &mut AnomalySet) -> String {
    decode_text(trim(raw), anomalies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_unfolded_and_decoded() {
        let mut anomalies = AnomalySet::default();
        assert_eq!(parse(b" Re: a\r\n =?utf-8?Q?=C3=A9?= ", &mut anomalies), "Re: a é");
        assert_eq!(parse(b" \r\n ", &mut anomalies), "");
        assert!(anomalies.is_empty());
    }
}
