//! PPPoE sessions (RFC 2516 4) and the PPP protocol number in them (RFC 1661 2).

use super::{ppp_protocol, u16_at, Decoded};
use crate::anomaly::Anomaly;

mod field {
    pub const VERSION_AND_TYPE: usize = 0;
    pub const CODE: usize = 1;
    // 2..4 session id, 4..6 length, which the IP header inside makes superfluous
    pub const HEADER_OCTETS: usize = 6;
}

/// Version 1, type 1.
const VERSION_AND_TYPE: u8 = 0x11;
/// Code of a session's data.
const SESSION_DATA: u8 = 0;

/// Reads a session header and the protocol number behind it.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    if header[field::VERSION_AND_TYPE] != VERSION_AND_TYPE || header[field::CODE] != SESSION_DATA {
        return Err(Anomaly::LinkMalformed);
    }
    decode_ppp(rest)
}

/// Reads the protocol number: two octets, or one if it is odd, where the peers agreed to compress it (RFC 1661 6.5).
fn decode_ppp(bytes: &[u8]) -> Decoded<'_> {
    let first = *bytes.first().ok_or(Anomaly::LinkTruncated)?;
    if first & 1 == 1 {
        return Ok((ppp_protocol(u16::from(first)), &bytes[1..]));
    }
    let (number, rest) = bytes.split_first_chunk::<2>().ok_or(Anomaly::LinkTruncated)?;
    Ok((ppp_protocol(u16_at(number, 0..2)), rest))
}

#[cfg(test)]
mod tests {
    use super::super::octets::{check_headers, hex};
    use super::super::Next;
    use super::*;

    #[test]
    fn the_ppp_protocol_number_leads_to_what_follows() {
        check_headers(
            decode,
            &[
                ("11 00 0007 0030 0021", Next::Ipv4),
                ("11 00 0007 0030 0057", Next::Ipv6),
                ("11 00 0007 0030 21", Next::Ipv4),
                ("11 00 0007 0030 57", Next::Ipv6),
                ("11 00 0007 0030 c021", Next::Other), // link control protocol
            ],
        );
    }

    #[test]
    fn another_version_or_code_is_malformed() {
        for header in ["21 00 0007 0030 0021", "11 a7 0007 0000 0021"] {
            assert_eq!(decode(&hex(header)), Err(Anomaly::LinkMalformed));
        }
    }
}
