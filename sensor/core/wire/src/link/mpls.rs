//! A stack of MPLS labels (RFC 3032 2.1), and what lies under it.
//!
//! No field says what the bottom label carries: the routers that set the path up know, a sensor guesses. The first
//! nibble tells IP by its version (RFC 4928 2); zero is a pseudowire's control word and one its associated channel
//! (RFC 4385 3). A pseudowire without control word starts with a MAC address, which may begin with any nibble, so where
//! the nibble leaves a doubt, the place where a known ethertype stands settles it.

use super::ethernet::type_or_length;
use super::{raw_ip, u16_at, Decoded, Encapsulation, Next};
use crate::anomaly::Anomaly;

mod field {
    use std::ops::Range;
    // Each label: 20 bits label, 3 bits traffic class, then
    /// The octet with the bottom-of-stack bit.
    pub const BOTTOM: usize = 2;
    pub const LABEL_OCTETS: usize = 4;
    pub const CONTROL_WORD_OCTETS: usize = 4;
    /// Total length of an IPv4 packet, and payload length of an IPv6 packet.
    pub const IPV4_LENGTH: Range<usize> = 2..4;
    pub const IPV6_LENGTH: Range<usize> = 4..6;
    pub const IPV6_HEADER_OCTETS: usize = 40;
    /// Type or length of an Ethernet header at the bottom of the stack.
    pub const ETHERTYPE: Range<usize> = 12..14;
    /// The same behind a control word.
    pub const ETHERTYPE_AFTER_CONTROL_WORD: Range<usize> = 16..18;
}

const BOTTOM_OF_STACK: u8 = 0x01;

/// Reads the whole stack, which only its octets bound: it is one step, however many labels a provider pushed.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let bottom = bytes
        .chunks_exact(field::LABEL_OCTETS)
        .position(|label| label[field::BOTTOM] & BOTTOM_OF_STACK != 0)
        .ok_or(Anomaly::LinkTruncated)?;
    under_the_stack(&bytes[(bottom + 1) * field::LABEL_OCTETS..])
}

fn under_the_stack(bytes: &[u8]) -> Decoded<'_> {
    const ETHERNET: Next = Next::Encapsulation(Encapsulation::Ethernet);
    let first = *bytes.first().ok_or(Anomaly::LinkTruncated)?;
    match first >> 4 {
        // An IPv4 header has at least five words, so 40 to 44 begin a MAC address.
        4 if first & 0x0f >= 5 && reads_as_ip(bytes, field::IPV4_LENGTH, 0) => raw_ip::decode(bytes),
        6 if reads_as_ip(bytes, field::IPV6_LENGTH, field::IPV6_HEADER_OCTETS) => raw_ip::decode(bytes),
        0 if has_control_word(bytes) => Ok((ETHERNET, after_control_word(bytes)?)),
        1 if !is_known(bytes, field::ETHERTYPE) => Ok((Next::Other, bytes)),
        _ => Ok((ETHERNET, bytes)),
    }
}

/// Of two readings of an IP version, IP, unless the length field promises too much where an ethertype that we know would
/// stand: then it is a MAC address.
fn reads_as_ip(bytes: &[u8], length: std::ops::Range<usize>, header_octets: usize) -> bool {
    !is_known(bytes, field::ETHERTYPE) || usize::from(u16_at(bytes, length)) + header_octets <= bytes.len()
}

/// Of two readings of a zero nibble, the control word, unless only the other leads to an ethertype that we know.
fn has_control_word(bytes: &[u8]) -> bool {
    is_known(bytes, field::ETHERTYPE_AFTER_CONTROL_WORD) || !is_known(bytes, field::ETHERTYPE)
}

fn is_known(bytes: &[u8], place: std::ops::Range<usize>) -> bool {
    bytes.len() >= place.end
        && !matches!(
            type_or_length(u16_at(bytes, place)),
            Next::Other | Next::Encapsulation(Encapsulation::Llc)
        )
}

fn after_control_word(bytes: &[u8]) -> Result<&[u8], Anomaly> {
    bytes.get(field::CONTROL_WORD_OCTETS..).ok_or(Anomaly::LinkTruncated)
}

#[cfg(test)]
mod tests {
    use super::super::octets::hex;
    use super::*;

    const ETHERNET: Next = Next::Encapsulation(Encapsulation::Ethernet);

    /// Rows of (labels, what is left of the rest, what it is, the rest).
    #[test]
    fn the_first_nibble_under_the_stack_tells_what_it_carries() {
        let rows = [
            ("00064140", "", Next::Ipv4, "45 00"),
            ("00064040 000c8140", "", Next::Ipv4, "46 00"),
            ("00064040 000c8040 00000140", "", Next::Ipv6, "60 00"),
            ("00064140", "00000000", ETHERNET, "0a0000000001 0a0000000002 0800 45"),
            ("00064140", "00000000", ETHERNET, "000000000001 0a0000000002 8100 00"),
            // no control word, and the MAC address begins like an IP version
            ("00064140", "", ETHERNET, "4c0065000001 0a0000000002 0800 45000028"),
            ("00064140", "", ETHERNET, "600065001001 0a0000000002 86dd 60000000"),
            // a packet whose source address looks like an ethertype
            (
                "00064140",
                "",
                Next::Ipv4,
                "45 00 0014 0001 4000 40 06 0000 08000001 c0000202",
            ),
            // no control word: a MAC address that begins with nibble 0, e, 1 or 4
            ("00064140", "", ETHERNET, "0a0000000001 0a0000000002 0800 45000028"),
            ("00064140", "", ETHERNET, "e80000000001 0a0000000002 0800 45000028"),
            ("00064140", "", ETHERNET, "100000000001 0a0000000002 0800 45000028"),
            ("00064140", "", ETHERNET, "400000000001 0a0000000002 0800 45000028"),
            ("00064140", "", Next::Other, "10000007 20400001"), // associated channel
        ];
        for (labels, control_word, next, rest) in rows {
            let bytes = hex(&format!("{labels}{control_word}{rest}"));
            assert_eq!(decode(&bytes), Ok((next, &hex(rest)[..])), "{labels} {rest}");
        }
    }

    #[test]
    fn a_stack_without_bottom_is_truncated() {
        for bytes in ["00064040", "00064040 000c80", "00064140", &"00064040".repeat(4000)] {
            assert_eq!(decode(&hex(bytes)), Err(Anomaly::LinkTruncated));
        }
    }
}
