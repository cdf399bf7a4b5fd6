//! Sequence numbers: 32 bits that wrap (RFC 9293 3.4). The one home of their arithmetic.
//!
//! Everything above works with stream offsets of 64 bits, which never wrap: offset 0 is the first octet of the stream as
//! far as it is known, and [`SeqNumber::unwrap_near`] is the only road from the one to the other.

/// A TCP sequence number. Ordered only by [`SeqNumber::offset_from`], since there is no order on a circle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// The number *octets* further on.
    #[must_use]
    pub const fn plus(self, octets: u32) -> Self {
        Self(self.0.wrapping_add(octets))
    }

    /// Octets from *base* to here, negative if this one is before it: right for distances under 2^31.
    #[must_use]
    pub const fn offset_from(self, base: Self) -> i32 {
        self.0.wrapping_sub(base.0) as i32
    }

    /// The stream offset this number stands for, in a stream whose offset 0 has the number *base*: of all candidates
    /// 2^32 apart, the one nearest to the offset *near*.
    #[must_use]
    pub const fn unwrap_near(self, base: Self, near: i64) -> i64 {
        // The low 32 bits of an offset, negative ones included, are its distance on the circle.
        let number_of_near = base.plus(near as u32);
        near.saturating_add(self.offset_from(number_of_near) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::SeqNumber;

    #[test]
    fn offsets_are_signed_and_cross_the_wrap() {
        for (number, base, expected) in [
            (5, 5, 0),
            (6, 5, 1),
            (4, 5, -1),
            (2, u32::MAX, 3),
            (u32::MAX, 2, -3),
            (0x7fff_ffff, 0, i32::MAX),
            (0x8000_0000, 0, i32::MIN),
        ] {
            assert_eq!(SeqNumber(number).offset_from(SeqNumber(base)), expected);
        }
    }

    #[test]
    fn plus_wraps() {
        assert_eq!(SeqNumber(u32::MAX).plus(1), SeqNumber(0));
        assert_eq!(SeqNumber(u32::MAX - 1).plus(10), SeqNumber(8));
    }

    #[test]
    fn unwrapping_finds_the_nearest_offset() {
        const WRAP: i64 = 1 << 32;
        for (number, base, near, expected) in [
            (100, 100, 0, 0),
            (99, 100, 0, -1),
            (4, u32::MAX, 0, 5),
            (u32::MAX, u32::MAX, WRAP, WRAP),
            (u32::MAX - 1, u32::MAX, WRAP, WRAP - 1),
            (9, u32::MAX, 3 * WRAP + 7, 3 * WRAP + 10),
            (95, 100, -3, -5),
        ] {
            assert_eq!(
                SeqNumber(number).unwrap_near(SeqNumber(base), near),
                expected,
                "{number} from {base} near {near}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn unwrapping_undoes_wrapping(base: u32, near in 0_i64..1 << 50, step in -(1_i64 << 31)..1_i64 << 31) {
            let offset = near + step;
            let number = SeqNumber(base).plus(offset as u32);
            assert_eq!(number.unwrap_near(SeqNumber(base), near), offset);
        }
    }
}
