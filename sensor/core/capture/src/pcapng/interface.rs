//! The Interface Description Block: link type, snap length, and how its packets' times are to be read.

use wire::frame::{LinkType, Timestamp};

use crate::byte_order::ByteOrder;

const NS_PER_S: u64 = 1_000_000_000;

/// Option codes (draft-ietf-opsawg-pcapng 4.2).
mod option {
    pub const END: u16 = 0;
    pub const TIME_RESOLUTION: u16 = 9;
    pub const TIME_OFFSET: u16 = 14;
}

/// What later packets need of their interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub link_type: LinkType,
    /// Octets kept of a packet at most; `u32::MAX` if there is no limit.
    pub snap_octets: u32,
    tick: Tick,
    offset_s: i64,
}

/// The length of one tick of a packet's time, as what is to be done with ticks to make nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tick {
    Multiply(u64),
    Divide(u64),
    /// Ticks of 2^-n seconds.
    Binary(u32),
}

impl Tick {
    /// From the option if_tsresol: the exponent, of two if the highest bit is set, else of ten.
    fn of(resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            Self::Binary(exponent)
        } else if exponent <= 9 {
            Self::Multiply(10u64.pow(9 - exponent))
        } else {
            // 10^20 and more are beyond 64 bits, and so is the number of ticks that would make a nanosecond.
            Self::Divide(10u64.checked_pow(exponent - 9).unwrap_or(u64::MAX))
        }
    }

    #[inline]
    fn ns(self, ticks: u64) -> u64 {
        match self {
            Self::Multiply(factor) => ticks.saturating_mul(factor),
            Self::Divide(divisor) => ticks / divisor,
            Self::Binary(exponent) => {
                // Below 2^94, so it fits; the exponent is at most 127.
                let ns = (u128::from(ticks) * u128::from(NS_PER_S)) >> exponent;
                u64::try_from(ns).unwrap_or(u64::MAX)
            }
        }
    }
}

impl Interface {
    /// Reads the block *body*, from its type to before its second length (at least 16 octets).
    ///
    /// False if the options contradict their lengths; what came before the contradiction is used.
    pub fn parse(order: ByteOrder, body: &[u8]) -> (Self, bool) {
        let snap_octets = match order.u32(body, 12) {
            0 => u32::MAX,
            octets => octets,
        };
        let link_type = LinkType(u32::from(order.u16(body, 8)));
        let mut interface = Self {
            link_type,
            snap_octets,
            tick: Tick::of(6),
            offset_s: 0,
        };
        let is_whole = interface.options(order, &body[16..]).is_some();
        (interface, is_whole)
    }

    fn options(&mut self, order: ByteOrder, mut rest: &[u8]) -> Option<()> {
        while !rest.is_empty() {
            let header = rest.first_chunk::<4>()?;
            let (code, octets) = (order.u16(header, 0), usize::from(order.u16(header, 2)));
            let value = rest.get(4..4 + octets)?;
            match code {
                option::END => return Some(()),
                option::TIME_RESOLUTION => self.tick = Tick::of(*value.first()?),
                option::TIME_OFFSET => {
                    // A signed number in two's complement, 4.2 "if_tsoffset".
                    self.offset_s = order.u64(value.first_chunk::<8>()?, 0) as i64;
                }
                _ => {}
            }
            rest = rest.get(4 + octets.next_multiple_of(4)..)?;
        }
        Some(())
    }

    /// The packet time of *ticks*; what is beyond the range of a [`Timestamp`] becomes its end.
    #[inline]
    pub fn time(&self, ticks: u64) -> Timestamp {
        let ns = i64::try_from(self.tick.ns(ticks)).unwrap_or(i64::MAX);
        Timestamp(ns.saturating_add(self.offset_s.saturating_mul(NS_PER_S as i64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(options: &[u8]) -> Vec<u8> {
        let mut body = b"\0\0\0\x01\0\0\0\0\0\x71\0\0\0\0\0\0".to_vec();
        body.extend_from_slice(options);
        body
    }

    #[test]
    fn times_are_read_by_resolution_and_offset() {
        let offset = b"\0\x0e\0\x08\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
        let cases: &[(&[u8], u64, i64)] = &[
            (b"", 1_500_000, 1_500_000_000),
            (b"\0\x09\0\x01\x09\0\0\0", 1_500_000, 1_500_000),
            (b"\0\x09\0\x01\x03\0\0\0\0\0\0\0", 1_500, 1_500_000_000),
            (b"\0\x09\0\x01\x00\0\0\0", 7, 7_000_000_000),
            (b"\0\x09\0\x01\x0c\0\0\0", 1_500_000, 1_500),
            (b"\0\x09\0\x01\x7f\0\0\0", u64::MAX - 1, 0),
            (b"\0\x09\0\x01\x8a\0\0\0", 1_536, 1_500_000_000),
            (b"\0\x09\0\x01\x80\0\0\0", 2, 2_000_000_000),
            (b"\0\x09\0\x01\xff\0\0\0", u64::MAX, 0),
            (b"\0\x09\0\x01\x00\0\0\0", u64::MAX, i64::MAX),
            (b"\0\x09\0\x01\x80\0\0\0", u64::MAX, i64::MAX),
            (offset, 1_500_000, 500_000_000),
            (b"\0\x02\0\x05eth0!\0\0\0\0\x09\0\x01\x09\0\0\0", 12, 12),
            (b"\0\0\0\0\0\x09\0\x01\x09\0\0\0", 12, 12_000),
        ];
        for (options, ticks, ns) in cases {
            let (interface, is_whole) = Interface::parse(ByteOrder::Big, &block(options));
            assert_eq!((interface.time(*ticks).0, is_whole), (*ns, true), "{options:x?}");
            assert_eq!((interface.link_type.0, interface.snap_octets), (113, u32::MAX));
        }
    }

    #[test]
    fn options_that_contradict_their_lengths_keep_what_came_before() {
        let cases: &[&[u8]] = &[
            b"\0\x09\0\x01\x09\0\0\0\0\x02\xff\xff",
            b"\0\x09\0\x01\x09\0\0\0\0\x0e\0\x04\0\0\0\0",
        ];
        for options in cases {
            let (interface, is_whole) = Interface::parse(ByteOrder::Big, &block(options));
            assert_eq!((interface.time(12).0, is_whole), (12, false));
        }
    }

    #[test]
    fn offsets_of_both_signs_saturate() {
        for (offset, ns) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN)] {
            let options = [&b"\0\x0e\0\x08"[..], &offset.to_be_bytes()].concat();
            assert_eq!(Interface::parse(ByteOrder::Big, &block(&options)).0.time(0).0, ns);
        }
    }
}
