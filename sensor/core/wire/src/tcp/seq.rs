//! Sequence numbers: 32 bits that wrap (RFC 9293 3.4). The one home of their arithmetic.

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
}
