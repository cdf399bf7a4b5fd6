//! Base64 (RFC 2045 6.8): counted fast, or decoded as it streams.

use super::transfer::Sink;

/// The size of base64 content from the number of its digits: four make three octets.
///
/// Padding inside, as pieces encoded apart and joined have it, is passed over; the size is then up to two octets a piece high.
#[derive(Clone, Default)]
pub(super) struct Base64Count {
    digits: u64,
    pub(super) has_junk: bool,
}

impl Base64Count {
    pub(super) fn feed(&mut self, octets: &[u8]) {
        let (digits, passed_over) = count_base64(octets);
        self.digits += digits;
        self.has_junk |= digits + passed_over != octets.len() as u64;
    }

    /// A lone digit behind the last four is no octet; two are one, three are two.
    pub(super) const fn octets(&self) -> u64 {
        self.digits / 4 * 3 + (self.digits % 4).saturating_sub(1)
    }
}

/// Counts the digits of the base64 alphabet, and what is rightly passed over (padding, blanks, controls).
///
/// Plain comparisons on lanes, so that the compiler makes vector code of it: several times as fast as a table.
fn count_base64(octets: &[u8]) -> (u64, u64) {
    const LANES: usize = 32;
    const BLOCKS: usize = 255; // what an octet can count to
    let (mut digits, mut passed_over) = (0, 0);
    for run in octets.chunks(LANES * BLOCKS) {
        let (mut digit_lanes, mut passed_lanes) = ([0_u8; LANES], [0_u8; LANES]);
        let mut blocks = run.chunks_exact(LANES);
        for block in &mut blocks {
            for lane in 0..LANES {
                digit_lanes[lane] = digit_lanes[lane].wrapping_add(u8::from(is_digit(block[lane])));
                passed_lanes[lane] = passed_lanes[lane].wrapping_add(u8::from(is_passed_over(block[lane])));
            }
        }
        let sum = |lanes: [u8; LANES]| lanes.iter().map(|&count| u64::from(count)).sum::<u64>();
        let rest = blocks.remainder();
        digits += sum(digit_lanes) + rest.iter().filter(|&&o| is_digit(o)).count() as u64;
        passed_over += sum(passed_lanes) + rest.iter().filter(|&&o| is_passed_over(o)).count() as u64;
    }
    (digits, passed_over)
}

/// A digit of RFC 2045 6.8, table 1. `/` stands right before `0` in ASCII. No branches: this runs on vector lanes.
const fn is_digit(octet: u8) -> bool {
    ((octet | 0x20).wrapping_sub(b'a') < 26) | (octet.wrapping_sub(b'/') < 11) | (octet == b'+')
}

const fn is_passed_over(octet: u8) -> bool {
    (octet <= b' ') | (octet == b'=')
}

/// Streaming base64 (RFC 2045 6.8). Octets outside the alphabet are passed over; padding ends a quantum, not the content,
/// since pieces encoded apart and joined are common.
#[derive(Clone, Default)]
pub(super) struct Base64 {
    /// Digits of an unfinished quantum, six bits each, and how many.
    quantum: u32,
    digits: u8,
    /// After a loss: up to the next line end the place inside the quantum is unknown.
    skips_line: bool,
    pub(super) is_broken: bool,
}

/// What an octet means in base64: below 64 a digit, else one of these. All have bit 6 set.
const PASSED_OVER: u8 = 64;
const PADDING: u8 = 65;
const JUNK: u8 = 66;

const MEANING: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut meaning = [JUNK; 256];
    let mut at = 0;
    while at <= b' ' as usize {
        meaning[at] = PASSED_OVER;
        at += 1;
    }
    meaning[b'=' as usize] = PADDING;
    at = 0;
    while at < alphabet.len() {
        #[allow(clippy::cast_possible_truncation)] // at < 64
        {
            meaning[alphabet[at] as usize] = at as u8;
        }
        at += 1;
    }
    meaning
};

impl Base64 {
    pub(super) fn feed(&mut self, mut octets: &[u8], out: &mut impl Sink) {
        if self.skips_line {
            let Some(line_end) = memchr::memchr(b'\n', octets) else {
                return;
            };
            self.skips_line = false;
            octets = &octets[line_end + 1..];
        }
        while let (Some(&next), false) = (octets.first(), out.is_full()) {
            let used = match octets.first_chunk() {
                Some(four) if self.digits == 0 && Self::put_quantum(four, out) => 4,
                _ => {
                    self.one(next, out);
                    1
                }
            };
            octets = &octets[used..];
        }
    }

    /// Decodes four digits at once; false, and nothing done, if they are not all digits.
    fn put_quantum(four: &[u8; 4], out: &mut impl Sink) -> bool {
        let [a, b, c, d] = four.map(|octet| MEANING[usize::from(octet)]);
        if a | b | c | d >= PASSED_OVER {
            return false;
        }
        out.put(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
        true
    }

    fn one(&mut self, octet: u8, out: &mut impl Sink) {
        match MEANING[usize::from(octet)] {
            PASSED_OVER => {}
            PADDING => self.end_quantum(out),
            JUNK => self.is_broken = true,
            digit => {
                self.quantum = self.quantum << 6 | u32::from(digit);
                self.digits += 1;
                if self.digits == 4 {
                    self.end_quantum(out);
                }
            }
        }
    }

    /// Gives out the whole octets of the digits so far.
    pub(super) fn end_quantum(&mut self, out: &mut impl Sink) {
        let digits = usize::from(self.digits);
        if digits > 0 && !out.is_full() {
            let left_aligned = self.quantum << (32 - 6 * digits);
            out.put(&left_aligned.to_be_bytes()[..digits * 6 / 8]);
            self.is_broken |= digits == 1;
        }
        (self.quantum, self.digits) = (0, 0);
    }

    pub(super) fn gap(&mut self) {
        (self.quantum, self.digits) = (0, 0);
        self.skips_line = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counting_agrees_with_a_table(content in prop::collection::vec(any::<u8>(), 0..20_000)) {
            let count = |low: u8, high: u8| {
                let meanings = content.iter().map(|&octet| MEANING[usize::from(octet)]);
                meanings.filter(|meaning| (low..=high).contains(meaning)).count() as u64
            };
            prop_assert_eq!(count_base64(&content), (count(0, 63), count(PASSED_OVER, PADDING)));
        }
    }
}
