//! Ethernet II and IEEE 802.3 (IEEE 802.3 3.2): two addresses, then a type or a length.

use super::{ethertype, u16_at, Decoded, Encapsulation, Next};
use crate::anomaly::Anomaly;

mod field {
    use std::ops::Range;
    // 0..6 destination address, 6..12 source address
    pub const TYPE_OR_LENGTH: Range<usize> = 12..14;
    pub const HEADER_OCTETS: usize = 14;
}

/// Reads an Ethernet header. A frame check sequence at the end, if captured, falls off with the padding.
#[inline]
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    Ok((type_or_length(u16_at(header, field::TYPE_OR_LENGTH)), rest))
}

/// What follows a field that is an ethertype from 0x0600 and a length up to 1500 (IEEE 802.3 3.2.6).
#[inline]
pub(super) fn type_or_length(value: u16) -> Next {
    match value {
        0..=1500 => Next::Encapsulation(Encapsulation::Llc),
        _ => ethertype(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::*;

    #[test]
    fn type_or_length_leads_to_what_follows() {
        check_headers(
            decode,
            &[
                ("0a0000000001 0a0000000002 0800", Next::Ipv4),
                ("0a0000000001 0a0000000002 86dd", Next::Ipv6),
                (
                    "0a0000000001 0a0000000002 8100",
                    Next::Encapsulation(Encapsulation::Vlan),
                ),
                (
                    "0180c2000000 0a0000000002 0026",
                    Next::Encapsulation(Encapsulation::Llc),
                ),
                (
                    "0a0000000001 0a0000000002 05dc",
                    Next::Encapsulation(Encapsulation::Llc),
                ),
                ("0a0000000001 0a0000000002 05dd", Next::Other), // neither type nor length
                ("ffffffffffff 0a0000000002 0806", Next::Other), // ARP
            ],
        );
    }
}
