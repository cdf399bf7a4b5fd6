//! Quoted-printable, decoded as it streams (RFC 2045 6.7).

use super::transfer::Sink;

/// Streaming quoted-printable (RFC 2045 6.7). What does not decode stays as it stands; lower case digits are taken.
///
/// Blanks at the end of a line are kept, though rule 3 would have them deleted as a transport's padding: few decoders do.
#[derive(Clone, Default)]
pub(super) struct QuotedPrintable {
    behind: Behind,
    pub(super) is_broken: bool,
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
    pub(super) fn feed(&mut self, mut octets: &[u8], out: &mut impl Sink) {
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

    pub(super) fn gap(&mut self) {
        self.behind = Behind::Text;
    }

    /// An `=` at the very end is a soft line break whose line end went to the delimiter.
    pub(super) fn finish(&mut self, out: &mut impl Sink) {
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
