//! IEEE 802.2 LLC, and SNAP behind it (RFC 1042): how IP travels in a frame that has a length in place of a type.

use super::{ethertype, u16_at, Decoded, Next};
use crate::anomaly::Anomaly;

mod field {
    use std::ops::Range;
    // 0..3 destination and source service access point, control
    pub const LLC_OCTETS: usize = 3;
    // Behind the LLC header, if it announces SNAP:
    pub const OUI: Range<usize> = 0..3;
    pub const ETHERTYPE: Range<usize> = 3..5;
    pub const SNAP_OCTETS: usize = 5;
}

/// Both access points SNAP, unnumbered information.
const SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];
/// Both access points IP, unnumbered information (RFC 948).
const IP: [u8; 3] = [0x06, 0x06, 0x03];
/// OUIs whose protocol identifier is an ethertype: RFC 1042, and IEEE 802.1H for bridges.
const ETHERTYPE_OUIS: [[u8; 3]; 2] = [[0, 0, 0], [0, 0, 0xf8]];

/// Reads an LLC header, and the SNAP header if there is one.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::LLC_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    match *header {
        SNAP => decode_snap(rest),
        IP => Ok((Next::Ipv4, rest)),
        _ => Ok((Next::Other, rest)),
    }
}

fn decode_snap(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::SNAP_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    let known = ETHERTYPE_OUIS.iter().any(|oui| header[field::OUI] == *oui);
    let next = if known {
        ethertype(u16_at(header, field::ETHERTYPE))
    } else {
        Next::Other
    };
    Ok((next, rest))
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::*;

    #[test]
    fn snap_carries_an_ethertype_and_other_access_points_do_not() {
        check_headers(
            decode,
            &[
                ("aaaa03 000000 0800", Next::Ipv4),
                ("aaaa03 0000f8 86dd", Next::Ipv6),
                ("aaaa03 00000c 2000", Next::Other), // Cisco discovery protocol
                ("060603", Next::Ipv4),
                ("424203", Next::Other), // spanning tree
            ],
        );
    }
}
