//! GRE version 0 (RFC 2784, RFC 2890, and the routing field of RFC 1701).

use super::{ethertype, gre_protocol, u16_at, Decoded, Encapsulation, Next};
use crate::anomaly::Anomaly;

mod field {
    use std::ops::Range;
    pub const FLAGS: Range<usize> = 0..2;
    pub const PROTOCOL: Range<usize> = 2..4;
    pub const HEADER_OCTETS: usize = 4;
    /// Checksum and offset, key, sequence number: four octets each, in this order, if their flag is set.
    pub const OPTION_OCTETS: usize = 4;
    // One source route entry of RFC 1701:
    pub const ROUTE_FAMILY: Range<usize> = 0..2;
    pub const ROUTE_LENGTH: usize = 3;
    pub const ROUTE_HEADER_OCTETS: usize = 4;
}

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const VERSION: u16 = 0x0007;

const ERSPAN_I_OR_II: u16 = 0x88be;

/// Reads a GRE header with its optional fields.
///
/// Version 1 is PPTP (RFC 2637), whose PPP is as a rule compressed and encrypted: nothing to read there.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    let flags = u16_at(header, field::FLAGS);
    if flags & VERSION != 0 {
        return Ok((Next::Other, rest));
    }
    let mut rest = rest.get(options_octets(flags)..).ok_or(Anomaly::LinkTruncated)?;
    if flags & ROUTING != 0 {
        rest = skip_routes(rest)?;
    }
    Ok((next(u16_at(header, field::PROTOCOL), flags), rest))
}

fn options_octets(flags: u16) -> usize {
    // Checksum and offset share a word that is there if either of its flags is set (RFC 1701).
    [CHECKSUM | ROUTING, KEY, SEQUENCE]
        .iter()
        .filter(|option| flags & **option != 0)
        .count()
        * field::OPTION_OCTETS
}

/// Skips source route entries up to the empty one of family 0 that ends them (RFC 1701, "Routing").
fn skip_routes(mut bytes: &[u8]) -> Result<&[u8], Anomaly> {
    loop {
        let (entry, rest) = bytes
            .split_first_chunk::<{ field::ROUTE_HEADER_OCTETS }>()
            .ok_or(Anomaly::LinkTruncated)?;
        let length = entry[field::ROUTE_LENGTH];
        bytes = rest.get(usize::from(length)..).ok_or(Anomaly::LinkTruncated)?;
        if u16_at(entry, field::ROUTE_FAMILY) == 0 && length == 0 {
            return Ok(bytes);
        }
    }
}

fn next(protocol: u16, flags: u16) -> Next {
    // ERSPAN I has no header of its own, and is known from II by the missing sequence number.
    if protocol == ERSPAN_I_OR_II && flags & SEQUENCE == 0 {
        return Next::Encapsulation(Encapsulation::Ethernet);
    }
    match gre_protocol(protocol) {
        Next::Other => ethertype(protocol),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::*;

    const ETHERNET: Next = Next::Encapsulation(Encapsulation::Ethernet);
    const ERSPAN: Next = Next::Encapsulation(Encapsulation::Erspan);

    #[test]
    fn optional_fields_are_skipped_and_the_protocol_leads_on() {
        check_headers(
            decode,
            &[
                ("0000 0800", Next::Ipv4),
                ("0000 86dd", Next::Ipv6),
                ("0000 6558", ETHERNET),
                ("0000 8847", Next::Encapsulation(Encapsulation::Mpls)),
                ("8000 0800 beef0000", Next::Ipv4),
                ("2000 0800 00000007", Next::Ipv4),
                ("1000 0800 00000001", Next::Ipv4),
                ("b000 0800 beef0000 00000007 00000001", Next::Ipv4),
                // routing: an entry of family 0x0800 with one address, then the end
                ("4000 0800 00000000 0800 00 04 0a000001 0000 00 00", Next::Ipv4),
                ("0000 88be", ETHERNET),        // ERSPAN I
                ("1000 88be 00000001", ERSPAN), // ERSPAN II
                ("1000 22eb 00000001", ERSPAN), // ERSPAN III
                ("3001 880b", Next::Other),     // PPTP
                ("0000 0000", Next::Other),     // keep-alive
            ],
        );
    }
}
