//! ERSPAN headers, types II and III (draft-foschiano-erspan 4.2, 4.3): the mirror port that is an IP tunnel.
//!
//! Type I has no header at all; GRE tells it from II.

use super::{raw_ip, Decoded, Encapsulation, Next};
use crate::anomaly::Anomaly;

mod field {
    pub const VERSION: usize = 0;
    pub const II_OCTETS: usize = 8;
    /// Type III: the octet with the frame type, behind VLAN, session, time stamp and security group.
    pub const III_FRAME_TYPE: usize = 10;
    /// Type III: the octet whose last bit announces the platform subheader.
    pub const III_OPTIONAL: usize = 11;
    pub const III_OCTETS: usize = 12;
    pub const III_PLATFORM_OCTETS: usize = 8;
}

const OPTIONAL: u8 = 0x01;
const FRAME_TYPE_ETHERNET: u8 = 0;
const FRAME_TYPE_IP: u8 = 2;

/// Reads the header that its version tells: 1 is type II, 2 is type III.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    match bytes.get(field::VERSION).ok_or(Anomaly::LinkTruncated)? >> 4 {
        1 => decode_ii(bytes),
        2 => decode_iii(bytes),
        _ => Err(Anomaly::LinkMalformed),
    }
}

fn decode_ii(bytes: &[u8]) -> Decoded<'_> {
    let rest = bytes.get(field::II_OCTETS..).ok_or(Anomaly::LinkTruncated)?;
    Ok((Next::Encapsulation(Encapsulation::Ethernet), rest))
}

fn decode_iii(bytes: &[u8]) -> Decoded<'_> {
    let (header, mut rest) = bytes
        .split_first_chunk::<{ field::III_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    if header[field::III_OPTIONAL] & OPTIONAL != 0 {
        rest = rest.get(field::III_PLATFORM_OCTETS..).ok_or(Anomaly::LinkTruncated)?;
    }
    match header[field::III_FRAME_TYPE] >> 2 & 0x1f {
        FRAME_TYPE_ETHERNET => Ok((Next::Encapsulation(Encapsulation::Ethernet), rest)),
        FRAME_TYPE_IP => raw_ip::decode(rest),
        _ => Ok((Next::Other, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::octets::{check_headers, hex};
    use super::*;

    const ETHERNET: Next = Next::Encapsulation(Encapsulation::Ethernet);

    #[test]
    fn version_tells_ii_from_iii() {
        check_headers(
            decode,
            &[
                ("1064 0001 00000002", ETHERNET),
                ("2064 0001 00000000 0000 0000", ETHERNET),
                ("2064 0001 00000000 0000 0001 0000000000000000", ETHERNET),
                ("2064 0001 00000000 0000 0400", Next::Other),
            ],
        );
    }

    #[test]
    fn iii_may_carry_bare_ip() {
        let bytes = hex("2064 0001 00000000 0000 0800 45");
        assert_eq!(decode(&bytes), Ok((Next::Ipv4, &[0x45][..])));
    }

    #[test]
    fn another_version_is_malformed() {
        assert_eq!(decode(&hex("0064 0001 00000002")), Err(Anomaly::LinkMalformed));
    }
}
