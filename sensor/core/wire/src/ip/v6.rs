//! IPv6 packets and their fragment header (RFC 8200 3, 4.5).

use std::net::{IpAddr, Ipv6Addr};

use super::{cut_to_length, Packet, Place};
use crate::anomaly::Anomaly;
use crate::link::{self, u16_at, u32_at, Next};

mod field {
    use std::ops::Range;
    pub const VERSION: usize = 0;
    pub const PAYLOAD_LENGTH: Range<usize> = 4..6;
    pub const NEXT_HEADER: usize = 6;
    pub const SOURCE: Range<usize> = 8..24;
    pub const DESTINATION: Range<usize> = 24..40;
    pub const HEADER_OCTETS: usize = 40;
}

mod fragment_field {
    use std::ops::Range;
    pub const NEXT_HEADER: usize = 0;
    pub const OFFSET_AND_MORE: Range<usize> = 2..4;
    pub const IDENTIFICATION: Range<usize> = 4..8;
    pub const HEADER_OCTETS: usize = 8;
}

/// Offset of a fragment: the upper 13 bits count units of eight octets, so in place they count octets.
const OFFSET: u16 = 0xfff8;
const MORE_FRAGMENTS: u16 = 0x0001;

/// Reads an IPv6 header; the frame went on for *snapped* octets behind *bytes*.
///
/// A payload length of zero stands for the captured length: jumbograms (RFC 2675) and segmentation offload. Gives
/// [`Anomaly::IpTruncated`] or, for another version, [`Anomaly::IpMalformed`].
#[inline]
pub fn decode(bytes: &[u8], snapped: usize) -> Result<Packet<'_>, Anomaly> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::IpTruncated)?;
    if header[field::VERSION] >> 4 != 6 {
        return Err(Anomaly::IpMalformed);
    }
    let promised = usize::from(u16_at(header, field::PAYLOAD_LENGTH));
    let (payload, snapped) = cut_to_length(rest, promised, snapped);
    let protocol = header[field::NEXT_HEADER];
    Ok(Packet {
        addresses: (
            address(header, field::SOURCE.start),
            address(header, field::DESTINATION.start),
        ),
        protocol,
        next: next(protocol),
        payload,
        snapped,
        place: None,
    })
}

/// What a next header value leads to.
#[inline]
#[must_use]
pub fn next(header: u8) -> Next {
    match link::ip_protocol(header) {
        Next::Other => link::ipv6_next_header(header),
        found => found,
    }
}

/// Reads a fragment header: what the datagram carries, the fragment's place in it, and its octets.
///
/// A fragment that is the whole datagram (RFC 6946) has no place, and passes straight.
pub fn decode_fragment(bytes: &[u8]) -> Result<(Next, Option<Place>, &[u8]), Anomaly> {
    let (header, rest) = bytes
        .split_first_chunk::<{ fragment_field::HEADER_OCTETS }>()
        .ok_or(Anomaly::IpTruncated)?;
    let offset_and_more = u16_at(header, fragment_field::OFFSET_AND_MORE);
    let place = (offset_and_more & (OFFSET | MORE_FRAGMENTS) != 0).then(|| Place {
        identification: u32_at(header, fragment_field::IDENTIFICATION),
        offset: usize::from(offset_and_more & OFFSET),
        more: offset_and_more & MORE_FRAGMENTS != 0,
    });
    Ok((next(header[fragment_field::NEXT_HEADER]), place, rest))
}

#[inline]
fn address(header: &[u8; field::HEADER_OCTETS], start: usize) -> IpAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[start..start + 16]);
    IpAddr::V6(Ipv6Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::octets::hex;

    fn packet(length: &str, next_header: &str) -> Vec<u8> {
        hex(&format!(
            "6 00 00000 {length} {next_header} 40
             20010db8000000000000000000000001
             20010db8000000000000000000000002
             {data}",
            data = "64617461706164"
        ))
    }

    #[test]
    fn the_payload_length_says_where_the_payload_ends() {
        // (payload length, payload, snapped) of a packet with 7 octets behind its header, 100 more on the wire
        let rows: [(&str, &[u8], usize); 4] = [
            ("0004", b"data", 0),
            ("0007", b"datapad", 0),
            ("0008", b"datapad", 1),
            ("0000", b"datapad", 100),
        ];
        for (length, payload, snapped) in rows {
            let bytes = packet(length, "06");
            let got = decode(&bytes, 100).unwrap();
            assert_eq!((got.payload, got.snapped), (payload, snapped), "{length}");
            assert_eq!(got.next, Next::Tcp);
            assert_eq!(got.addresses.0.to_string(), "2001:db8::1");
            assert_eq!(got.addresses.1.to_string(), "2001:db8::2");
        }
    }

    #[test]
    fn next_header_values_lead_to_protocols_and_extensions() {
        let rows = [
            ("00", Next::Ipv6Extension),
            ("2b", Next::Ipv6Extension),
            ("3c", Next::Ipv6Extension),
            ("2c", Next::Ipv6Fragment),
            ("33", Next::Authentication),
            ("29", Next::Ipv6),
            ("04", Next::Ipv4),
            ("3b", Next::Other), // no next header
            ("32", Next::Other), // encrypted payload
            ("3a", Next::Other), // ICMPv6
        ];
        for (next_header, next) in rows {
            assert_eq!(decode(&packet("0007", next_header), 0).unwrap().next, next);
        }
    }

    #[test]
    fn a_header_cut_anywhere_is_truncated_and_another_version_malformed() {
        let bytes = packet("0007", "06");
        for cut in 0..40 {
            assert_eq!(decode(&bytes[..cut], 0), Err(Anomaly::IpTruncated));
        }
        let mut other = bytes;
        other[0] = 0x45;
        assert_eq!(decode(&other, 0), Err(Anomaly::IpMalformed));
    }

    #[test]
    fn a_fragment_header_tells_the_place() {
        let rows = [
            ("06 00 0001 89abcdef", Some((0, true))),
            ("06 00 0009 89abcdef", Some((8, true))),
            ("06 00 fff8 89abcdef", Some((65_528, false))),
            ("06 00 0000 89abcdef", None), // atomic, RFC 6946
            ("06 00 0006 89abcdef", None), // reserved bits
        ];
        for (text, expected) in rows {
            let header = hex(text);
            let (next, place, rest) = decode_fragment(&header).unwrap();
            assert_eq!((next, rest), (Next::Tcp, &[][..]));
            assert_eq!(place.map(|p| (p.offset, p.more)), expected, "{text}");
            assert!(place.is_none_or(|p| p.identification == 0x89ab_cdef));
            for cut in 0..header.len() {
                assert_eq!(decode_fragment(&header[..cut]), Err(Anomaly::IpTruncated));
            }
        }
    }
}
