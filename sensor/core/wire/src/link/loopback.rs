//! Loopback of the BSDs: four octets of address family (tcpdump.org LINKTYPE_NULL, LINKTYPE_LOOP).

use super::{address_family, Decoded};
use crate::anomaly::Anomaly;

const HEADER_OCTETS: usize = 4;

/// Reads a header in the byte order of a capturing machine that we do not know.
///
/// Address families are small, so the order that leaves the upper half zero is the right one.
pub fn decode_null(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = split(bytes)?;
    let family = u32::from_le_bytes(*header).min(u32::from_be_bytes(*header));
    Ok((address_family(family), rest))
}

/// Reads a header in network byte order.
pub fn decode_loop(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = split(bytes)?;
    Ok((address_family(u32::from_be_bytes(*header)), rest))
}

fn split(bytes: &[u8]) -> Result<(&[u8; HEADER_OCTETS], &[u8]), Anomaly> {
    bytes.split_first_chunk().ok_or(Anomaly::LinkTruncated)
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::super::Next;
    use super::*;

    #[test]
    fn null_is_read_in_either_byte_order() {
        check_headers(
            decode_null,
            &[
                ("02000000", Next::Ipv4),
                ("00000002", Next::Ipv4),
                ("0a000000", Next::Ipv6),
                ("18000000", Next::Ipv6),
                ("0000001c", Next::Ipv6),
                ("1e000000", Next::Ipv6),
                ("07000000", Next::Other),
                ("ffffffff", Next::Other),
            ],
        );
    }

    #[test]
    fn loop_is_read_in_network_byte_order_alone() {
        check_headers(
            decode_loop,
            &[
                ("00000002", Next::Ipv4),
                ("00000018", Next::Ipv6),
                ("02000000", Next::Other),
            ],
        );
    }
}
