//! Content transfer encodings (RFC 2045 6): how many octets a part decodes to, and its first octets decoded.

/// How a part's octets are wrapped for transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit, binary, and uuencode, whose wrapper counts as content.
    Identity,
    QuotedPrintable,
    Base64,
    /// Not a name we know: read as it stands.
    Unknown,
}

impl Encoding {
    /// Reads the value of a Content-Transfer-Encoding; `7bit` where there is none (RFC 2045 6.1).
    pub(super) fn read(raw: Option<&[u8]>) -> Self {
        let word = raw
            .unwrap_or_default()
            .split(|o| o.is_ascii_whitespace() || matches!(o, b';' | b'(' | b'"'))
            .find(|word| !word.is_empty())
            .unwrap_or(b"7bit");
        let is = |names: &[&str]| {
            names
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        if is(&["base64", "x-base64"]) {
            Self::Base64
        } else if is(&["quoted-printable"]) {
            Self::QuotedPrintable
        } else if is(&[
            "7bit",
            "8bit",
            "binary",
            "7-bit",
            "8-bit",
            "x-uuencode",
            "uuencode",
            "x-uue",
        ]) {
            Self::Identity
        } else {
            Self::Unknown
        }
    }
}

/// Counts the octets that a part decodes to, without decoding where that can be told otherwise.
pub(super) enum DecodedSize {
    Identity(u64),
    Base64(Base64Count),
    QuotedPrintable(QuotedPrintable, Count),
}

impl DecodedSize {
    pub(super) fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Identity | Encoding::Unknown => Self::Identity(0),
            Encoding::Base64 => Self::Base64(Base64Count::default()),
            Encoding::QuotedPrintable => {
                Self::QuotedPrintable(QuotedPrintable::default(), Count(0))
            }
        }
    }

    pub(super) fn feed(&mut self, octets: &[u8]) {
        match self {
            Self::Identity(size) => *size += octets.len() as u64,
            Self::Base64(count) => count.feed(octets),
            Self::QuotedPrintable(decoder, size) => decoder.feed(octets, size),
        }
    }

    pub(super) fn gap(&mut self) {
        if let Self::QuotedPrintable(decoder, _) = self {
            decoder.gap();
        }
    }

    /// Decoded octets, and whether the encoding was broken.
    pub(super) fn finish(self) -> (u64, bool) {
        match self {
            Self::Identity(size) => (size, false),
            Self::Base64(count) => (count.octets(), count.has_junk),
            Self::QuotedPrintable(mut decoder, mut size) => {
                decoder.finish(&mut size);
                (size.0, decoder.is_broken)
            }
        }
    }
}

/// The size of base64 content from the number of its digits: four make three octets.
///
/// Padding inside, as pieces encoded apart and joined have it, is passed over; the size is then up to two octets a piece high.
#[derive(Default)]
pub(super) struct Base64Count {
    digits: u64,
    has_junk: bool,
}

impl Base64Count {
    fn feed(&mut self, octets: &[u8]) {
        let (digits, passed_over) = count_base64(octets);
        self.digits += digits;
        self.has_junk |= digits + passed_over != octets.len() as u64;
    }

    /// A lone digit behind the last four is no octet; two are one, three are two.
    const fn octets(&self) -> u64 {
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
                passed_lanes[lane] =
                    passed_lanes[lane].wrapping_add(u8::from(is_passed_over(block[lane])));
            }
        }
        let sum = |lanes: [u8; LANES]| lanes.iter().map(|&count| u64::from(count)).sum::<u64>();
        let rest = blocks.remainder();
        digits += sum(digit_lanes) + rest.iter().filter(|&&o| is_digit(o)).count() as u64;
        passed_over +=
            sum(passed_lanes) + rest.iter().filter(|&&o| is_passed_over(o)).count() as u64;
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

/// Where decoded octets go.
pub(super) trait Sink {
    /// True once nothing more is taken.
    fn is_full(&self) -> bool;
    /// Takes *octets*, or as many as there is room for.
    fn put(&mut self, octets: &[u8]);
}

/// Counts what it is given.
pub(super) struct Count(u64);

impl Sink for Count {
    fn is_full(&self) -> bool {
        false
    }
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len() as u64;
    }
}

/// Keeps the first `max` octets.
pub(super) struct Head {
    pub(super) octets: Vec<u8>,
    pub(super) max: usize,
}

impl Sink for Head {
    fn is_full(&self) -> bool {
        self.octets.len() >= self.max
    }
    fn put(&mut self, octets: &[u8]) {
        let room = self.max.saturating_sub(self.octets.len());
        self.octets
            .extend_from_slice(&octets[..octets.len().min(room)]);
    }
}

/// Decodes as octets come.
pub(super) enum Decoder {
    Identity,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

impl Decoder {
    pub(super) fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Identity | Encoding::Unknown => Self::Identity,
            Encoding::Base64 => Self::Base64(Base64::default()),
            Encoding::QuotedPrintable => Self::QuotedPrintable(QuotedPrintable::default()),
        }
    }

    /// Decodes *octets* until *out* is full; what follows then is not even looked at.
    pub(super) fn feed(&mut self, octets: &[u8], out: &mut impl Sink) {
        match self {
            Self::Identity => out.put(octets),
            Self::Base64(decoder) => decoder.feed(octets, out),
            Self::QuotedPrintable(decoder) => decoder.feed(octets, out),
        }
    }

    pub(super) fn gap(&mut self) {
        match self {
            Self::Identity => {}
            Self::Base64(decoder) => decoder.gap(),
            Self::QuotedPrintable(decoder) => decoder.gap(),
        }
    }

    /// Gives out what waited for more. True if the encoding was broken.
    pub(super) fn finish(&mut self, out: &mut impl Sink) -> bool {
        match self {
            Self::Identity => false,
            Self::Base64(decoder) => {
                decoder.end_quantum(out);
                decoder.is_broken
            }
            Self::QuotedPrintable(decoder) => {
                decoder.finish(out);
                decoder.is_broken
            }
        }
    }
}

/// Streaming quoted-printable (RFC 2045 6.7). What does not decode stays as it stands; lower case digits are taken.
///
/// Blanks at the end of a line are kept, though rule 3 would have them deleted as a transport's padding: few decoders do.
#[derive(Default)]
pub(super) struct QuotedPrintable {
    behind: Behind,
    is_broken: bool,
}

/// What stands right before the next octet.
#[derive(Clone, Copy, Default)]
enum Behind {
    /// Nothing that waits.
    #[default]
    Text,
    /// `=`
    Equals,
    /// `=` and a hex digit
    Digit(u8),
    /// `=` and blanks: a padded soft line break, if the line ends here
    Blank,
    /// `=`, perhaps blanks, and CR
    Cr,
}

impl QuotedPrintable {
    fn feed(&mut self, mut octets: &[u8], out: &mut impl Sink) {
        while let (Some(&next), false) = (octets.first(), out.is_full()) {
            let used = match self.behind {
                Behind::Text => self.text(octets, out),
                _ => usize::from(self.escape(next, out)),
            };
            octets = &octets[used..];
        }
    }

    /// Takes the text up to and with the next `=`.
    fn text(&mut self, octets: &[u8], out: &mut impl Sink) -> usize {
        let equals = memchr::memchr(b'=', octets);
        let text = equals.unwrap_or(octets.len());
        out.put(&octets[..text]);
        if equals.is_some() {
            self.behind = Behind::Equals;
            return text + 1;
        }
        text
    }

    /// One step behind an `=`. False if *next* belongs to the text again and was not used.
    fn escape(&mut self, next: u8, out: &mut impl Sink) -> bool {
        let (behind, used) = match (self.behind, next) {
            (Behind::Equals, digit) if digit.is_ascii_hexdigit() => (Behind::Digit(digit), true),
            (Behind::Equals | Behind::Blank, b' ' | b'\t') => (Behind::Blank, true),
            (Behind::Equals | Behind::Blank, b'\r') => (Behind::Cr, true),
            (Behind::Equals | Behind::Blank | Behind::Cr, b'\n') => (Behind::Text, true),
            (Behind::Digit(high), low) if low.is_ascii_hexdigit() => {
                out.put(&[hex_value(high) << 4 | hex_value(low)]);
                (Behind::Text, true)
            }
            _ => {
                self.put_as_it_stands(out);
                (Behind::Text, false)
            }
        };
        self.behind = behind;
        used
    }

    fn put_as_it_stands(&mut self, out: &mut impl Sink) {
        self.is_broken = true;
        match self.behind {
            Behind::Digit(digit) => out.put(&[b'=', digit]),
            Behind::Equals | Behind::Blank => out.put(b"="),
            Behind::Text | Behind::Cr => {}
        }
    }

    fn gap(&mut self) {
        self.behind = Behind::Text;
    }

    /// An `=` at the very end is a soft line break whose line end went to the delimiter.
    fn finish(&mut self, out: &mut impl Sink) {
        if matches!(self.behind, Behind::Digit(_)) && !out.is_full() {
            self.put_as_it_stands(out);
        }
        self.behind = Behind::Text;
    }
}

/// The value of a hex digit; 0 for anything else.
pub(super) const fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Streaming base64 (RFC 2045 6.8). Octets outside the alphabet are passed over; padding ends a quantum, not the content,
/// since pieces encoded apart and joined are common.
#[derive(Default)]
pub(super) struct Base64 {
    /// Digits of an unfinished quantum, six bits each, and how many.
    quantum: u32,
    digits: u8,
    /// After a loss: up to the next line end the place inside the quantum is unknown.
    skips_line: bool,
    is_broken: bool,
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
    fn feed(&mut self, mut octets: &[u8], out: &mut impl Sink) {
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
    fn end_quantum(&mut self, out: &mut impl Sink) {
        let digits = usize::from(self.digits);
        if digits > 0 && !out.is_full() {
            let left_aligned = self.quantum << (32 - 6 * digits);
            out.put(&left_aligned.to_be_bytes()[..digits * 6 / 8]);
            self.is_broken |= digits == 1;
        }
        (self.quantum, self.digits) = (0, 0);
    }

    fn gap(&mut self) {
        (self.quantum, self.digits) = (0, 0);
        self.skips_line = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::engine::general_purpose::STANDARD;
    use ::base64::Engine;
    use proptest::prelude::*;

    const MAX: usize = 1_000;

    /// Size, decoded octets, and whether it was broken, the content cut into chunks of *cut*.
    fn run(encoding: Encoding, content: &[u8], cut: usize) -> (u64, Vec<u8>, bool) {
        let mut size = DecodedSize::new(encoding);
        let mut decoder = Decoder::new(encoding);
        let mut head = Head {
            octets: Vec::new(),
            max: MAX,
        };
        for chunk in content.chunks(cut) {
            size.feed(chunk);
            decoder.feed(chunk, &mut head);
        }
        let is_broken = decoder.finish(&mut head);
        let (octets, _) = size.finish();
        (octets, head.octets, is_broken)
    }

    fn check(encoding: Encoding, content: &[u8], expected: &[u8], is_broken: bool) {
        for cut in [content.len().max(1), 1, 2, 3] {
            let (size, octets, broken) = run(encoding, content, cut);
            assert_eq!(octets, expected, "{}", content.escape_ascii());
            assert_eq!(size, expected.len() as u64, "{}", content.escape_ascii());
            assert_eq!(broken, is_broken, "{}", content.escape_ascii());
        }
    }

    #[test]
    fn quoted_printable_is_decoded() {
        let cases: &[(&[u8], &[u8], bool)] = &[
            (b"a=20b=3D=3d", b"a b==", false),
            (b"soft=\r\nbreak=\nhere", b"softbreakhere", false),
            (b"padded= \t\r\nbreak", b"paddedbreak", false),
            (b"a=", b"a", false),
            (b"a=\r", b"a", false),
            (b"a=XYb", b"a=XYb", true),
            (b"a=4Yb", b"a=4Yb", true),
            (b"a==41", b"a=A", true),
            (b"a= b", b"a=b", true),
            (b"a=4", b"a=4", true),
            (b"blanks  \r\nstay", b"blanks  \r\nstay", false),
            (b"8-bit \xff\x00", b"8-bit \xff\x00", false),
        ];
        for (content, expected, is_broken) in cases {
            check(Encoding::QuotedPrintable, content, expected, *is_broken);
        }
    }

    #[test]
    fn base64_is_decoded() {
        let cases: &[(&[u8], &[u8], bool)] = &[
            (b"QUJD", b"ABC", false),
            (b"QUI=", b"AB", false),
            (b"QQ==\r\n", b"A", false),
            (b"QUI", b"AB", false),
            (b"QU\r\nJD Q\tUJD", b"ABCABC", false),
            (b"Q-U*JD", b"ABC", true),
            (b"QUJDQ", b"ABC", true),
            (b"", b"", false),
            (b"====", b"", false),
        ];
        for (content, expected, is_broken) in cases {
            check(Encoding::Base64, content, expected, *is_broken);
        }
    }

    #[test]
    fn joined_base64_is_decoded_and_its_size_is_near() {
        let (size, octets, is_broken) = run(Encoding::Base64, b"QQ==QUI=QUJD", 5);
        assert_eq!((octets.as_slice(), is_broken), (&b"AABABC"[..], false));
        assert!(size.abs_diff(6) <= 2);
    }

    #[test]
    fn after_a_loss_base64_goes_on_with_the_next_line() {
        let mut decoder = Decoder::new(Encoding::Base64);
        let mut head = Head {
            octets: Vec::new(),
            max: MAX,
        };
        decoder.feed(b"QUJDQU", &mut head);
        decoder.gap();
        decoder.feed(b"xxxxx", &mut head);
        decoder.feed(b"x\r\nQUJD", &mut head);
        assert_eq!(head.octets, b"ABCABC");
    }

    #[test]
    fn encodings_are_known_by_their_first_word() {
        let cases: &[(Option<&[u8]>, Encoding)] = &[
            (None, Encoding::Identity),
            (Some(b" "), Encoding::Identity),
            (Some(b" BASE64 (comment)"), Encoding::Base64),
            (Some(b"\r\n quoted-printable;"), Encoding::QuotedPrintable),
            (Some(b"8bit\r\n"), Encoding::Identity),
            (Some(b"x-uuencode"), Encoding::Identity),
            (Some(b"base65"), Encoding::Unknown),
        ];
        for (raw, expected) in cases {
            assert_eq!(Encoding::read(*raw), *expected, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn well_formed_base64_agrees_with_another_decoder(
            content in prop::collection::vec(any::<u8>(), 0..MAX),
            line in 1_usize..100,
            cut in 1_usize..90,
        ) {
            let digits = STANDARD.encode(&content);
            let lines: Vec<&[u8]> = digits.as_bytes().chunks(line).collect();
            let (size, octets, is_broken) = run(Encoding::Base64, &lines.join(&b"\r\n"[..]), cut);
            prop_assert_eq!(&octets, &content);
            prop_assert_eq!(size, content.len() as u64);
            prop_assert!(!is_broken);
        }

        #[test]
        fn well_formed_quoted_printable_comes_back(
            content in prop::collection::vec(any::<u8>(), 0..300),
            soft_break_after in 1_usize..20,
            cut in 1_usize..90,
        ) {
            let mut encoded = Vec::new();
            for (index, octet) in content.iter().enumerate() {
                match octet {
                    b'!'..=b'<' | b'>'..=b'~' => encoded.push(*octet),
                    _ => encoded.extend(format!("={octet:02X}").bytes()),
                }
                if index % soft_break_after == 0 {
                    encoded.extend(b"=\r\n");
                }
            }
            let (size, octets, is_broken) = run(Encoding::QuotedPrintable, &encoded, cut);
            prop_assert_eq!(&octets, &content);
            prop_assert_eq!(size, content.len() as u64);
            prop_assert!(!is_broken);
        }

        #[test]
        fn cuts_change_nothing(
            content in prop::collection::vec(prop::sample::select(&b"QUJD=4f \r\n\x00-"[..]), 0..200),
            cut in 1_usize..50,
        ) {
            for encoding in [Encoding::Base64, Encoding::QuotedPrintable, Encoding::Identity] {
                prop_assert_eq!(run(encoding, &content, cut), run(encoding, &content, MAX));
            }
        }

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
