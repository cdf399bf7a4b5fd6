//! GENEVE (RFC 8926 3.4): a tunnel in UDP with options of variable length.

use super::{ethertype, u16_at, Decoded};
use crate::anomaly::Anomaly;

mod field {
    use std::ops::Range;
    /// Two bits version, six bits length of the options in words of four octets.
    pub const VERSION_AND_OPTIONS: usize = 0;
    // 1 flags
    pub const PROTOCOL: Range<usize> = 2..4;
    // 4..7 network identifier, 7 reserved
    pub const HEADER_OCTETS: usize = 8;
}

/// Reads a GENEVE header and skips its options.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    let first = header[field::VERSION_AND_OPTIONS];
    if first >> 6 != 0 {
        return Err(Anomaly::LinkMalformed);
    }
    let options_octets = usize::from(first & 0x3f) * 4;
    let rest = rest.get(options_octets..).ok_or(Anomaly::LinkTruncated)?;
    Ok((ethertype(u16_at(header, field::PROTOCOL)), rest))
}

#[cfg(test)]
mod tests {
    use super::super::octets::{check_headers, hex};
    use super::super::{Encapsulation, Next};
    use super::*;

    #[test]
    fn options_are_skipped_and_the_protocol_leads_on() {
        check_headers(
            decode,
            &[
                ("00 00 6558 000064 00", Next::Encapsulation(Encapsulation::Ethernet)),
                ("00 00 0800 000064 00", Next::Ipv4),
                ("02 40 86dd 000064 00 0102 80 01 00000000", Next::Ipv6),
                ("00 00 894f 000064 00", Next::Other),
            ],
        );
    }

    #[test]
    fn another_version_is_malformed() {
        assert_eq!(decode(&hex("40 00 6558 000064 00")), Err(Anomaly::LinkMalformed));
    }
}
