//! The IP authentication header (RFC 4302 2): it signs what follows and leaves it in the clear.

use super::v6;
use crate::anomaly::Anomaly;
use crate::link::Decoded;

mod field {
    pub const NEXT_HEADER: usize = 0;
    /// In words of four octets, less two.
    pub const LENGTH: usize = 1;
    // 2..4 reserved, 4..8 security parameters index, 8..12 sequence number, then the check value
    pub const MIN_HEADER_OCTETS: usize = 12;
}

/// Skips an authentication header.
///
/// The next header is looked up as in IPv6 also under IPv4, where its extension headers simply do not occur.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let header = bytes
        .first_chunk::<{ field::MIN_HEADER_OCTETS }>()
        .ok_or(Anomaly::IpTruncated)?;
    let octets = (usize::from(header[field::LENGTH]) + 2) * 4;
    if octets < field::MIN_HEADER_OCTETS {
        return Err(Anomaly::IpMalformed);
    }
    let rest = bytes.get(octets..).ok_or(Anomaly::IpTruncated)?;
    Ok((v6::next(header[field::NEXT_HEADER]), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::octets::{check_headers, hex};
    use crate::link::Next;

    #[test]
    fn length_counts_words_less_two() {
        check_headers(
            decode,
            &[
                ("06 01 0000 00000001 00000002", Next::Tcp),
                ("04 04 0000 00000001 00000002 000102030405060708090a0b", Next::Ipv4),
            ],
        );
    }

    #[test]
    fn a_length_under_the_fixed_fields_is_malformed() {
        assert_eq!(decode(&hex("06 00 0000 00000001 00000002")), Err(Anomaly::IpMalformed));
    }
}
