//! IP without a link header: the version nibble tells which (RFC 791 3.1, RFC 8200 3).

use super::{Decoded, Next};
use crate::anomaly::Anomaly;

/// Looks at the version; the packet itself is the next step, so nothing is taken off.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    match bytes.first().ok_or(Anomaly::LinkTruncated)? >> 4 {
        4 => Ok((Next::Ipv4, bytes)),
        6 => Ok((Next::Ipv6, bytes)),
        _ => Ok((Next::Other, bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_nibble_decides_and_nothing_is_taken_off() {
        assert_eq!(decode(&[0x45, 0]), Ok((Next::Ipv4, &[0x45, 0][..])));
        assert_eq!(decode(&[0x60, 0]), Ok((Next::Ipv6, &[0x60, 0][..])));
        assert_eq!(decode(&[0x00, 0]), Ok((Next::Other, &[0x00, 0][..])));
    }
}
