//! VXLAN (RFC 7348 5) and its generic protocol extension (draft-ietf-nvo3-vxlan-gpe 3).

use super::{vxlan_gpe_protocol, Decoded, Encapsulation, Next};
use crate::anomaly::Anomaly;

mod field {
    pub const FLAGS: usize = 0;
    // 1..3 reserved
    pub const GPE_NEXT_PROTOCOL: usize = 3;
    // 4..7 network identifier, 7 reserved
    pub const HEADER_OCTETS: usize = 8;
}

/// The network identifier is valid: set in every VXLAN header.
const VALID_IDENTIFIER: u8 = 0x08;
/// GPE: the next protocol field counts.
const HAS_NEXT_PROTOCOL: u8 = 0x04;

/// Reads a VXLAN header. Without the flag that all have, it is other traffic that happens to use the port.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (flags, _, rest) = split(bytes)?;
    if flags & VALID_IDENTIFIER == 0 {
        return Ok((Next::Other, rest));
    }
    Ok((Next::Encapsulation(Encapsulation::Ethernet), rest))
}

/// Reads a VXLAN-GPE header; without a next protocol it is plain VXLAN.
pub fn decode_gpe(bytes: &[u8]) -> Decoded<'_> {
    let (flags, protocol, rest) = split(bytes)?;
    if flags & HAS_NEXT_PROTOCOL == 0 {
        return decode(bytes);
    }
    Ok((vxlan_gpe_protocol(protocol), rest))
}

fn split(bytes: &[u8]) -> Result<(u8, u8, &[u8]), Anomaly> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    Ok((header[field::FLAGS], header[field::GPE_NEXT_PROTOCOL], rest))
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::*;

    const ETHERNET: Next = Next::Encapsulation(Encapsulation::Ethernet);

    #[test]
    fn vxlan_carries_ethernet() {
        check_headers(
            decode,
            &[
                ("08 000000 000064 00", ETHERNET),
                ("88 000001 000064 00", ETHERNET), // with a group policy
                ("00 000000 000064 00", Next::Other),
            ],
        );
    }

    #[test]
    fn gpe_names_what_it_carries() {
        check_headers(
            decode_gpe,
            &[
                ("0c 0000 01 000064 00", Next::Ipv4),
                ("0c 0000 02 000064 00", Next::Ipv6),
                ("0c 0000 03 000064 00", ETHERNET),
                ("0c 0000 05 000064 00", Next::Encapsulation(Encapsulation::Mpls)),
                ("0c 0000 04 000064 00", Next::Other), // network service header
                ("08 0000 00 000064 00", ETHERNET),
            ],
        );
    }
}
