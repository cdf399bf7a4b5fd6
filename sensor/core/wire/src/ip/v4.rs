//! IPv4 packets (RFC 791 3.1).

use std::net::{IpAddr, Ipv4Addr};

use super::{cut_to_length, Packet, Place};
use crate::anomaly::Anomaly;
use crate::link::{self, u16_at, u32_at};

mod field {
    use std::ops::Range;
    pub const VERSION_AND_HEADER_LENGTH: usize = 0;
    pub const TOTAL_LENGTH: Range<usize> = 2..4;
    pub const IDENTIFICATION: Range<usize> = 4..6;
    pub const FLAGS_AND_OFFSET: Range<usize> = 6..8;
    pub const PROTOCOL: usize = 9;
    // 10..12 header checksum: not verified, since a host that offloads it captures its own packets without
    pub const SOURCE: Range<usize> = 12..16;
    pub const DESTINATION: Range<usize> = 16..20;
    pub const MIN_HEADER_OCTETS: usize = 20;
}

const MORE_FRAGMENTS: u16 = 0x2000;
/// Offset of a fragment, in units of eight octets.
const OFFSET: u16 = 0x1fff;

/// Reads an IPv4 header; the frame went on for *snapped* octets behind *bytes*.
///
/// Gives [`Anomaly::IpTruncated`] for a header cut short and [`Anomaly::IpMalformed`] for a version other than 4, a
/// header under 20 octets, or a total length shorter than the header.
#[inline]
pub fn decode(bytes: &[u8], snapped: usize) -> Result<Packet<'_>, Anomaly> {
    let header = bytes
        .first_chunk::<{ field::MIN_HEADER_OCTETS }>()
        .ok_or(Anomaly::IpTruncated)?;
    let first = header[field::VERSION_AND_HEADER_LENGTH];
    let header_octets = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16_at(header, field::TOTAL_LENGTH));
    if first >> 4 != 4 || header_octets < field::MIN_HEADER_OCTETS || (total != 0 && total < header_octets) {
        return Err(Anomaly::IpMalformed);
    }
    let (packet, snapped) = cut_to_length(bytes, total, snapped);
    let protocol = header[field::PROTOCOL];
    Ok(Packet {
        addresses: (
            address(u32_at(header, field::SOURCE)),
            address(u32_at(header, field::DESTINATION)),
        ),
        protocol,
        next: link::ip_protocol(protocol),
        payload: packet.get(header_octets..).ok_or(Anomaly::IpTruncated)?,
        snapped,
        place: place(header),
    })
}

#[inline]
fn address(bits: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(bits))
}

#[inline]
fn place(header: &[u8; field::MIN_HEADER_OCTETS]) -> Option<Place> {
    let flags_and_offset = u16_at(header, field::FLAGS_AND_OFFSET);
    if flags_and_offset & (MORE_FRAGMENTS | OFFSET) == 0 {
        return None;
    }
    Some(Place {
        identification: u32::from(u16_at(header, field::IDENTIFICATION)),
        offset: usize::from(flags_and_offset & OFFSET) * 8,
        more: flags_and_offset & MORE_FRAGMENTS != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::octets::hex;
    use crate::link::Next;

    //                          ver len  id   frag ttl pr sum  source   destination
    const PLAIN: &str = "45 00 0018 1234 4000 40 06 0000 c0000201 c0000202";

    fn with(header: &str, from: &str, to: &str) -> Vec<u8> {
        assert!(header.contains(from));
        let mut bytes = hex(&header.replacen(from, to, 1));
        bytes.extend_from_slice(b"datapad");
        bytes
    }

    #[test]
    fn the_total_length_says_where_the_payload_ends() {
        // (total length, payload, snapped) of a packet with 7 octets behind its header, 100 more on the wire
        let rows: [(&str, &[u8], usize); 6] = [
            ("0018", b"data", 0),
            ("001b", b"datapad", 0),
            ("001c", b"datapad", 1),
            ("0014", b"", 0),
            ("0000", b"datapad", 100), // segmentation offload
            ("ffff", b"datapad", 0xffff - 27),
        ];
        for (total, payload, snapped) in rows {
            let bytes = with(PLAIN, "0018", total);
            let packet = decode(&bytes, 100).unwrap();
            assert_eq!((packet.payload, packet.snapped), (payload, snapped), "{total}");
            assert_eq!(packet.next, Next::Tcp);
            assert_eq!(packet.addresses.0, IpAddr::from([192, 0, 2, 1]));
            assert_eq!(packet.addresses.1, IpAddr::from([192, 0, 2, 2]));
            assert_eq!(packet.place, None);
        }
    }

    #[test]
    fn options_are_part_of_the_header() {
        let bytes = with(PLAIN, "45 00 0018", "46 00 001a");
        assert_eq!(decode(&bytes, 0).unwrap().payload, b"pa");
    }

    #[test]
    fn flags_and_offset_tell_a_fragment() {
        let rows = [
            ("2000", Some((0, true))),
            ("2001", Some((8, true))),
            ("0001", Some((8, false))),
            ("1fff", Some((65_528, false))),
            ("4000", None),
            ("8000", None), // the reserved bit
        ];
        for (flags_and_offset, place) in rows {
            let bytes = with(PLAIN, "4000", flags_and_offset);
            let got = decode(&bytes, 0).unwrap().place;
            assert_eq!(got.map(|place| (place.offset, place.more)), place, "{flags_and_offset}");
            assert!(got.is_none_or(|place| place.identification == 0x1234));
        }
    }

    #[test]
    fn a_header_that_contradicts_itself_is_malformed() {
        for (from, to) in [("45 00", "65 00"), ("45 00", "44 00"), ("0018", "0013")] {
            let bytes = with(PLAIN, from, to);
            assert_eq!(decode(&bytes, 0), Err(Anomaly::IpMalformed), "{to}");
        }
    }

    #[test]
    fn a_header_cut_anywhere_is_truncated() {
        let bytes = hex(&format!("{PLAIN} 01010101").replacen("45", "46", 1));
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut], 0), Err(Anomaly::IpTruncated), "{cut}");
        }
        assert!(decode(&bytes, 0).is_ok());
    }
}
