//! Linux "cooked" captures, versions 1 and 2: what a capture on all interfaces writes (tcpdump.org LINKTYPE_LINUX_SLL).

use super::{ethertype, u16_at, Decoded, Encapsulation, Next};
use crate::anomaly::Anomaly;

mod v1 {
    use std::ops::Range;
    // 0..2 packet type, 2..4 ARPHRD type, 4..6 address length, 6..14 address
    pub const PROTOCOL: Range<usize> = 14..16;
    pub const HEADER_OCTETS: usize = 16;
}

mod v2 {
    use std::ops::Range;
    pub const PROTOCOL: Range<usize> = 0..2;
    // 2..4 reserved, 4..8 interface index, 8..10 ARPHRD type, 10 packet type, 11 address length, 12..20 address
    pub const HEADER_OCTETS: usize = 20;
}

/// The protocol number that stands for an 802.2 LLC header (Linux ETH_P_802_2).
const LLC: u16 = 0x0004;

/// Reads a version 1 header.
pub fn decode_v1(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ v1::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    Ok((protocol(u16_at(header, v1::PROTOCOL)), rest))
}

/// Reads a version 2 header.
pub fn decode_v2(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ v2::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    Ok((protocol(u16_at(header, v2::PROTOCOL)), rest))
}

fn protocol(value: u16) -> Next {
    match value {
        LLC => Next::Encapsulation(Encapsulation::Llc),
        _ => ethertype(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::*;

    #[test]
    fn version_1_ends_with_the_protocol() {
        check_headers(
            decode_v1,
            &[
                ("0000 0001 0006 0a00000000020000 0800", Next::Ipv4),
                ("0004 0304 0006 0000000000000000 86dd", Next::Ipv6),
                (
                    "0000 0001 0006 0a00000000020000 8100",
                    Next::Encapsulation(Encapsulation::Vlan),
                ),
                (
                    "0001 0001 0006 0a00000000020000 0004",
                    Next::Encapsulation(Encapsulation::Llc),
                ),
                ("0000 0001 0006 0a00000000020000 0806", Next::Other),
            ],
        );
    }

    #[test]
    fn version_2_starts_with_the_protocol() {
        check_headers(
            decode_v2,
            &[
                ("0800 0000 00000002 0001 00 06 0a00000000020000", Next::Ipv4),
                ("86dd 0000 00000002 0001 04 06 0a00000000020000", Next::Ipv6),
                ("0806 0000 00000002 0001 00 06 0a00000000020000", Next::Other),
            ],
        );
    }
}
