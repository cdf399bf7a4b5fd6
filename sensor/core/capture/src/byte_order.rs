//! Numbers in the byte order of the machine that wrote the capture.

/// The byte order a file or a section was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Big,
    Little,
}

impl ByteOrder {
    /// The two octets at *at*, which the caller has checked to be there.
    #[inline]
    pub fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let raw = [bytes[at], bytes[at + 1]];
        match self {
            Self::Big => u16::from_be_bytes(raw),
            Self::Little => u16::from_le_bytes(raw),
        }
    }

    /// The four octets at *at*, which the caller has checked to be there.
    #[inline]
    pub fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let raw = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        match self {
            Self::Big => u32::from_be_bytes(raw),
            Self::Little => u32::from_le_bytes(raw),
        }
    }

    /// The eight octets at *at*, most significant half first if big-endian.
    #[inline]
    pub fn u64(self, bytes: &[u8], at: usize) -> u64 {
        let (first, second) = (u64::from(self.u32(bytes, at)), u64::from(self.u32(bytes, at + 4)));
        match self {
            Self::Big => first << 32 | second,
            Self::Little => second << 32 | first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_orders() {
        let bytes = [0xff, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(ByteOrder::Big.u16(&bytes, 1), 0x0102);
        assert_eq!(ByteOrder::Little.u16(&bytes, 1), 0x0201);
        assert_eq!(ByteOrder::Big.u32(&bytes, 1), 0x0102_0304);
        assert_eq!(ByteOrder::Little.u32(&bytes, 1), 0x0403_0201);
        assert_eq!(ByteOrder::Big.u64(&bytes, 1), 0x0102_0304_0506_0708);
        assert_eq!(ByteOrder::Little.u64(&bytes, 1), 0x0807_0605_0403_0201);
    }
}
