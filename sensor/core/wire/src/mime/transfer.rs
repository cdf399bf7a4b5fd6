//! Content transfer encodings (RFC 2045 6): how many octets a part decodes to, and its first octets decoded.

use super::base64::{Base64, Base64Count};
use super::quoted_printable::QuotedPrintable;

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
        let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
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
#[derive(Clone)]
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
            Encoding::QuotedPrintable => Self::QuotedPrintable(QuotedPrintable::default(), Count(0)),
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

/// Where decoded octets go.
pub(super) trait Sink {
    /// True once nothing more is taken.
    fn is_full(&self) -> bool;
    /// Takes *octets*, or as many as there is room for.
    fn put(&mut self, octets: &[u8]);
}

/// Counts what it is given.
#[derive(Clone)]
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
#[derive(Clone)]
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
        self.octets.extend_from_slice(&octets[..octets.len().min(room)]);
    }
}

/// Decodes as octets come.
#[derive(Clone)]
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
    }
}
