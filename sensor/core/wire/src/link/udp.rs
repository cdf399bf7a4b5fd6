//! UDP (RFC 768), read only for the tunnels in it: the destination port tells which.

use super::{u16_at, udp_port, Decoded};
use crate::anomaly::Anomaly;

mod field {
    use std::ops::Range;
    // 0..2 source port
    pub const DESTINATION_PORT: Range<usize> = 2..4;
    // 4..6 length, 6..8 checksum: the IP headers outside and inside bound the packet, offload leaves the sum unset
    pub const HEADER_OCTETS: usize = 8;
}

/// Reads a UDP header. The source port of a tunnel is a hash of the flow inside (RFC 7348 5), so it tells nothing.
#[inline]
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let (header, rest) = bytes
        .split_first_chunk::<{ field::HEADER_OCTETS }>()
        .ok_or(Anomaly::LinkTruncated)?;
    Ok((udp_port(u16_at(header, field::DESTINATION_PORT)), rest))
}

#[cfg(test)]
mod tests {
    use super::super::octets::check_headers;
    use super::super::{Encapsulation, Next};
    use super::*;

    #[test]
    fn the_destination_port_alone_tells_the_tunnel() {
        check_headers(
            decode,
            &[
                ("c001 12b5 0040 0000", Next::Encapsulation(Encapsulation::Vxlan)),
                ("c001 2118 0040 0000", Next::Encapsulation(Encapsulation::Vxlan)),
                ("c001 17c1 0040 0000", Next::Encapsulation(Encapsulation::Geneve)),
                ("12b5 0035 0040 0000", Next::Other), // DNS from port 4789
            ],
        );
    }
}
