//! Base64 as broken mailers write it: what can be read is read.
//!
//! Unlike a strict decoder it passes over octets outside the alphabet, takes padding that is missing, short or too long, and
//! goes on behind padding, since some mailers join separately encoded pieces.

/// What [`decode`] made of its input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The octets.
    pub octets: Vec<u8>,
    /// False if foreign octets, a wrong padding or loose bits were found; blanks and line ends are no fault.
    pub is_clean: bool,
}

/// Decodes *text* (RFC 2045 6.8).
#[must_use]
pub fn decode(text: &[u8]) -> Decoded {
    let mut decoded = Decoded {
        octets: Vec::with_capacity(text.len() / 4 * 3 + 3),
        is_clean: true,
    };
    let (mut bits, mut digits, mut padding) = (0_u32, 0_u32, 0_u32);
    for &octet in text {
        match VALUES[usize::from(octet)] {
            PAD => padding += 1,
            BLANK => {}
            FOREIGN => decoded.is_clean = false,
            value => {
                if padding > 0 {
                    // Behind padding a new piece begins.
                    decoded.is_clean = false;
                    decoded.end_piece(bits, digits, padding);
                    (bits, digits, padding) = (0, 0, 0);
                }
                bits = bits << 6 | u32::from(value);
                digits += 1;
                if digits == 4 {
                    decoded.octets.extend_from_slice(&bits.to_be_bytes()[1..]);
                    (bits, digits) = (0, 0);
                }
            }
        }
    }
    decoded.end_piece(bits, digits, padding);
    decoded
}

impl Decoded {
    /// The last *digits* digits, fewer than four, hold one or two octets.
    fn end_piece(&mut self, bits: u32, digits: u32, padding: u32) {
        let quantum = (bits << (6 * (4 - digits))).to_be_bytes();
        match digits {
            2 => self.octets.push(quantum[1]),
            3 => self.octets.extend_from_slice(&quantum[1..3]),
            _ => {}
        }
        self.is_clean &= matches!((digits, padding), (0, 0) | (2, 2) | (3, 1));
    }
}

/// True if *octet* is one of the 64 digits.
#[must_use]
pub fn is_digit(octet: u8) -> bool {
    VALUES[usize::from(octet)] < 64
}

const PAD: u8 = 64;
const BLANK: u8 = 65;
const FOREIGN: u8 = 66;

static VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [FOREIGN; 256];
    let mut value = 0;
    while value < digits.len() {
        table[digits[value] as usize] = value as u8;
        value += 1;
    }
    table[b'=' as usize] = PAD;
    table[b' ' as usize] = BLANK;
    table[b'\t' as usize] = BLANK;
    table[b'\r' as usize] = BLANK;
    table[b'\n' as usize] = BLANK;
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::{engine::general_purpose::STANDARD, Engine};
    use proptest::prelude::*;

    #[test]
    fn what_can_be_read_is_read() {
        let table: &[(&[u8], &[u8], bool)] = &[
            (b"", b"", true),
            (b"YWJj", b"abc", true),
            (b"YWI=", b"ab", true),
            (b"YQ==", b"a", true),
            (b"YW\r\n Jj", b"abc", true),
            (b"YQ", b"a", false),
            (b"YQ=", b"a", false),
            (b"YQ===", b"a", false),
            (b"YWJjY", b"abc", false),
            (b"YQ==Yg==", b"ab", false),
            (b"YW*Jj", b"abc", false),
            (b"====", b"", false),
        ];
        for (text, octets, is_clean) in table {
            let expected = Decoded {
                octets: octets.to_vec(),
                is_clean: *is_clean,
            };
            assert_eq!(decode(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_strict_coder(octets: Vec<u8>) {
            let decoded = decode(STANDARD.encode(&octets).as_bytes());
            prop_assert_eq!(decoded, Decoded { octets, is_clean: true });
        }

        #[test]
        fn what_a_strict_decoder_takes_is_clean(text in "[A-Da-d0-3+/= ]{0,12}") {
            let decoded = decode(text.as_bytes());
            if let Ok(octets) = STANDARD.decode(&text) {
                prop_assert_eq!(decoded, Decoded { octets, is_clean: true });
            }
        }
    }
}
