//! Sharing the flows out among engines that all see the same frames.
//!
//! Each engine decodes every frame, which is cheap, and reads the flows of its share. Both directions of a flow fall into the
//! same share, and packet time passes alike in all, so together they tell what one engine alone would tell.

use std::net::IpAddr;

use crate::limits::Limits;
use crate::tcp::segment::{Endpoint, Segment};

/// One engine's share of the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    number: u64,
    of: u64,
}

impl Share {
    /// All flows.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// Share *number*, from 0, of *of*; at least one.
    #[must_use]
    pub const fn new(number: u32, of: u32) -> Self {
        Self {
            number: number as u64,
            of: if of == 0 { 1 } else { of as u64 },
        }
    }

    /// True for the one share that counts the frames, which all see.
    #[must_use]
    pub const fn counts_frames(self) -> bool {
        self.number == 0
    }

    /// True if the flow of *segment* belongs to this share. The same in every run: no seed goes into it.
    #[must_use]
    pub fn takes(self, segment: &Segment<'_>) -> bool {
        // Odd, with bits all over (the golden ratio), so that the high half of a product depends on all of the sum.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.of == 1 || {
            let sum = mark(segment.source).wrapping_add(mark(segment.destination));
            (sum.wrapping_mul(SPREAD) >> 32) % self.of == self.number
        }
    }

    /// *limits* for an engine with this share: of the bounds on all flows together, its part, rounded up.
    #[must_use]
    pub fn of_limits(self, limits: &Limits) -> Limits {
        let part = |bound: usize| bound.div_ceil(usize::try_from(self.of).unwrap_or(1));
        Limits {
            flows: part(limits.flows),
            embryonic_flows: part(limits.embryonic_flows),
            settled_flows: part(limits.settled_flows),
            out_of_order_octets: part(limits.out_of_order_octets),
            session_octets: part(limits.session_octets),
            ..limits.clone()
        }
    }
}

fn mark(endpoint: Endpoint) -> u64 {
    let address = match endpoint.address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (bits >> 64) as u64 ^ bits as u64
        }
    };
    address.rotate_left(16) ^ u64::from(endpoint.port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Timestamp;
    use crate::tcp::segment::Flags;
    use crate::tcp::seq::SeqNumber;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn segment(source: (IpAddr, u16), destination: (IpAddr, u16)) -> Segment<'static> {
        let endpoint = |(address, port)| Endpoint { address, port };
        Segment {
            at: Timestamp(0),
            source: endpoint(source),
            destination: endpoint(destination),
            seq: SeqNumber(0),
            ack: SeqNumber(0),
            flags: Flags(0),
            payload: b"",
            snapped_octets: 0,
            reassembled: false,
        }
    }

    fn share_of(segment: &Segment<'_>, of: u32) -> u32 {
        let takers: Vec<u32> = (0..of)
            .filter(|&number| Share::new(number, of).takes(segment))
            .collect();
        assert_eq!(takers.len(), 1, "one share takes it");
        takers[0]
    }

    #[test]
    fn both_directions_fall_into_one_share_and_shares_are_alike_in_size() {
        for of in 1..5 {
            let mut sizes = vec![0_usize; of as usize];
            for number in 0..4_000_u16 {
                let client = match number % 2 {
                    0 => IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + u32::from(number) / 3)),
                    _ => IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number))),
                };
                let server = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
                let there = segment((client, 32_768 + number), (server, 25));
                let back = segment((server, 25), (client, 32_768 + number));
                assert_eq!(share_of(&there, of), share_of(&back, of));
                sizes[share_of(&there, of) as usize] += 1;
            }
            let even = 4_000 / of as usize;
            assert!(
                sizes.iter().all(|size: &usize| size.abs_diff(even) < even / 5 + 1),
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn bounds_on_all_flows_are_shared_and_others_are_not() {
        let limits = Limits {
            flows: 5,
            ..Limits::default()
        };
        assert_eq!(Share::WHOLE.of_limits(&limits).flows, 5);
        let half = Share::new(1, 2).of_limits(&limits);
        assert_eq!((half.flows, half.line_octets), (3, limits.line_octets));
        assert_eq!(half.session_octets, limits.session_octets / 2);
    }
}
