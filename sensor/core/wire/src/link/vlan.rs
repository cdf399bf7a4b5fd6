//! A VLAN tag: 802.1Q, 802.1ad, and the QinQ of before (IEEE 802.1Q 9.6).

use super::{ethernet, u16_at, Decoded};
use crate::anomaly::Anomaly;

mod field {
    use std::ops::Range;
    // 0..2 tag control information: priority, drop eligible, VLAN identifier
    pub const TYPE_OR_LENGTH: Range<usize> = 2..4;
    pub const HEADER_OCTETS: usize = 4;
}

/// Reads one tag; a second one is the next step.
#[inline]
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    Ok((ethernet::type_or_length(u16_at(header, field::TYPE_OR_LENGTH)), rest))
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::super::{Encapsulation, Next};
    use super::*;

    #[test]
    fn the_type_in_the_tag_leads_to_what_follows() {
        check_headers(
            decode,
            &[
                ("0064 0800", Next::Ipv4),
                ("e064 86dd", Next::Ipv6),
                ("0064 8100", Next::Encapsulation(Encapsulation::Vlan)),
                ("0064 0030", Next::Encapsulation(Encapsulation::Llc)),
                ("0064 0806", Next::Other),
            ],
        );
    }
}
