//! IPv6 extension headers of the common form: hop-by-hop, routing, destination options (RFC 8200 4.3, 4.4, 4.6).

use super::v6;
use crate::anomaly::Anomaly;
use crate::link::Decoded;

mod field {
    pub const NEXT_HEADER: usize = 0;
    /// In units of eight octets, the first not counted.
    pub const LENGTH: usize = 1;
    pub const UNIT_OCTETS: usize = 8;
}

/// Skips one extension header.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let header = bytes
        .first_chunk::<{ field::UNIT_OCTETS }>()
        .ok_or(Anomaly::IpTruncated)?;
    let octets = (usize::from(header[field::LENGTH]) + 1) * field::UNIT_OCTETS;
    let rest = bytes.get(octets..).ok_or(Anomaly::IpTruncated)?;
    Ok((v6::next(header[field::NEXT_HEADER]), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::octets::check_headers;
    use crate::link::Next;

    #[test]
    fn length_counts_units_beyond_the_first() {
        check_headers(
            decode,
            &[
                ("06 00 010400000000", Next::Tcp),
                ("2c 01 040000000000 0000000000000000", Next::Ipv6Fragment),
                ("3b 00 010400000000", Next::Other),
            ],
        );
    }
}
