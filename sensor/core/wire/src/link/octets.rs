//! Reading big-endian numbers at named places, and the hex notation of the tests.

use std::ops::Range;

/// The 16-bit number at *field* of a header that is known to reach that far.
#[inline]
pub(crate) fn u16_at(header: &[u8], field: Range<usize>) -> u16 {
    u16::from_be_bytes([header[field.start], header[field.start + 1]])
}

/// The 32-bit number at *field* of a header that is known to reach that far.
#[inline]
pub(crate) fn u32_at(header: &[u8], field: Range<usize>) -> u32 {
    let start = field.start;
    u32::from_be_bytes([header[start], header[start + 1], header[start + 2], header[start + 3]])
}

/// The octets that *text* spells in hex; spaces and line ends lay it out by field and count for nothing.
#[cfg(test)]
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hex digit") as u8)
        .collect();
    assert_eq!(digits.len() % 2, 0, "half an octet in {text:?}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Checks *decode* against rows of (header in hex, what follows, octets of the header): with a tail, without, and cut.
///
/// A header cut anywhere must be [`crate::anomaly::Anomaly::LinkTruncated`] or `IpTruncated`.
#[cfg(test)]
pub(crate) fn check_headers(decode: impl for<'a> Fn(&'a [u8]) -> super::Decoded<'a>, rows: &[(&str, super::Next)]) {
    use crate::anomaly::Anomaly::{IpTruncated, LinkTruncated};
    for (text, next) in rows {
        let header = hex(text);
        assert_eq!(decode(&header), Ok((*next, &[][..])), "{text}");
        let mut tailed = header.clone();
        tailed.extend_from_slice(b"tail");
        assert_eq!(decode(&tailed), Ok((*next, &b"tail"[..])), "{text} tail");
        for cut in 0..header.len() {
            let got = decode(&header[..cut]);
            assert!(
                matches!(got, Err(LinkTruncated | IpTruncated)),
                "{text} cut at {cut}: {got:?}"
            );
        }
    }
}
