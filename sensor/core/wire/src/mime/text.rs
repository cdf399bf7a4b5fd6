//! The first octets of a text part: decoded, searched for marks, dropped.

use super::transfer::{Decoder, Encoding, Head, Sink};
use crate::anomaly::AnomalySet;
use crate::header::encoded_word::decode_charset;
use crate::interest::Interest;

/// What is looked for in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The marks of the artifact table, in the text as it stands.
    Marks,
    /// The same, and once more in what a reader of HTML would see.
    MarksInHtml,
    /// METHOD of a calendar object, whose part doesn't tell it (RFC 5546 1.4).
    CalendarMethod,
}

/// The first decoded octets of one text part.
pub(super) struct Window {
    search: Search,
    decoder: Decoder,
    head: Head,
    charset: Vec<u8>,
}

/// What a window showed.
pub(super) struct Seen {
    /// The calendar method, lower case.
    pub(super) calendar_method: Option<String>,
    /// True if the transfer encoding was broken inside the window.
    pub(super) is_broken: bool,
    /// What the window was kept in.
    pub(super) buffer: Vec<u8>,
}

impl Window {
    /// A window of *max* decoded octets, kept in *buffer*, on a part in *charset* (its raw label, may be empty).
    pub(super) fn new(search: Search, encoding: Encoding, charset: &[u8], max: usize, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            search,
            decoder: Decoder::new(encoding),
            head: Head { octets: buffer, max },
            charset: charset.to_ascii_lowercase(),
        }
    }

    pub(super) fn feed(&mut self, octets: &[u8]) {
        if !self.head.is_full() {
            self.decoder.feed(octets, &mut self.head);
        }
    }

    /// Octets were lost: what stands on both sides of them is not one line.
    pub(super) fn gap(&mut self) {
        self.decoder.gap();
        self.head.put(b"\n");
    }

    /// Searches the window. Numbers of marks found are added to *found*, which stays ascending and without doubles.
    pub(super) fn finish(mut self, interest: &Interest, found: &mut Vec<u32>) -> Seen {
        let is_broken = self.decoder.finish(&mut self.head);
        let search_for = self.search;
        let text = self.into_text();
        let mut calendar_method = None;
        match search_for {
            Search::CalendarMethod => calendar_method = calendar_method_of(&text),
            Search::Marks => search(interest, &text, found),
            Search::MarksInHtml if interest.body_marks().is_some() => {
                search(interest, &text, found);
                search(interest, &visible_text(&text), found);
            }
            Search::MarksInHtml => {}
        }
        Seen {
            calendar_method,
            is_broken,
            buffer: text,
        }
    }

    /// The window as UTF-8, ASCII letters in lower case.
    fn into_text(self) -> Vec<u8> {
        let mut text = in_utf8(self.head.octets, &self.charset);
        text.make_ascii_lowercase();
        text
    }
}

fn search(interest: &Interest, text: &[u8], found: &mut Vec<u32>) {
    let Some(marks) = interest.body_marks().filter(|_| interest.may_mark_body(text)) else {
        return;
    };
    for hit in marks.find_overlapping_iter(text) {
        let number = hit.pattern().as_u32();
        if let Err(place) = found.binary_search(&number) {
            found.insert(place, number);
        }
    }
}

/// The text in UTF-8, in which the marks are written. Octets that already are, or can't tell the difference, stay in place.
fn in_utf8(octets: Vec<u8>, charset: &[u8]) -> Vec<u8> {
    let label = charset.trim_ascii();
    let label = label.strip_prefix(b"'").unwrap_or(label);
    let label = label.strip_suffix(b"'").unwrap_or(label);
    let hides_ascii = [
        &b"utf-16"[..],
        b"utf-7",
        b"utf-32",
        b"unicode",
        b"iso-2022",
        b"hz",
        b"ibm",
        b"cp037",
    ]
    .iter()
    .any(|prefix| label.starts_with(prefix));
    if matches!(label, b"" | b"utf-8" | b"utf8" | b"us-ascii" | b"ascii") || (!hides_ascii && octets.is_ascii()) {
        return octets;
    }
    // The window may end inside a character, and anomalies of this kind speak of the header: none are passed on.
    decode_charset(&octets, label, &mut AnomalySet::default()).into_bytes()
}

/// What a reader of *html*, its ASCII letters in lower case, sees, roughly: no tags or comments, the common entities as their characters, a line break where
/// a block begins or ends, and folds in the source as blanks. Enough to find a phrase that markup runs through.
fn visible_text(html: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(special) = memchr::memchr3(b'<', b'&', b'\n', rest) {
        text.extend_from_slice(&rest[..special]);
        rest = &rest[special..];
        let used = match rest[0] {
            b'<' => tag(rest, &mut text),
            b'&' => entity(rest, &mut text),
            _ => line_end(rest, &mut text),
        };
        rest = &rest[used..];
    }
    text.extend_from_slice(rest);
    text
}

/// Drops the tag or comment at the start of *html*; one that never ends goes to the end. Octets used.
fn tag(html: &[u8], text: &mut Vec<u8>) -> usize {
    const LONGEST_NAME: usize = b"blockquote".len() + 1;
    if html.starts_with(b"<!--") {
        return memchr::memmem::find(html, b"-->").map_or(html.len(), |end| end + b"-->".len());
    }
    let inside = html[1..].strip_prefix(b"/").unwrap_or(&html[1..]);
    let name_end = inside
        .iter()
        .take(LONGEST_NAME)
        .take_while(|o| o.is_ascii_alphanumeric())
        .count();
    if is_block(&inside[..name_end]) {
        text.push(b'\n');
    }
    memchr::memchr(b'>', html).map_or(html.len(), |end| end + 1)
}

/// True if an element of this *name* begins a new line.
const fn is_block(name: &[u8]) -> bool {
    matches!(
        name,
        b"br" | b"p" | b"div" | b"tr" | b"td" | b"li" | b"table" | b"hr" | b"blockquote" | b"h1" | b"h2"
    )
}

/// Reads the character reference at the start of *html*; what is none stays as it stands. Octets used.
fn entity(html: &[u8], text: &mut Vec<u8>) -> usize {
    const LONGEST: usize = b"&#x10ffff;".len();
    let end = html[..html.len().min(LONGEST)].iter().position(|&o| o == b';');
    let Some((end, character)) = end.and_then(|end| Some((end, character(&html[1..end])?))) else {
        text.push(b'&');
        return 1;
    };
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    end + 1
}

/// The character that *name*, without `&` and `;`, stands for.
fn character(name: &[u8]) -> Option<char> {
    let name = std::str::from_utf8(name).ok()?;
    let code = match name {
        "nbsp" => return Some(' '),
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let number = match code.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => code.parse().ok()?,
    };
    if number == 0xA0 {
        Some(' ')
    } else {
        char::from_u32(number)
    }
}

/// Makes one blank of a line end and the blanks behind it. Octets used.
fn line_end(html: &[u8], text: &mut Vec<u8>) -> usize {
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    if !matches!(text.last(), Some(b' ' | b'\n')) {
        text.push(b' ');
    }
    html.iter().position(|o| !o.is_ascii_whitespace()).unwrap_or(html.len())
}

/// The value of the first METHOD property (RFC 5545 3.7.2), lower case; none unless it is a token.
fn calendar_method_of(calendar: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"METHOD:";
    const LONGEST_VALUE: usize = 32; // the longest that RFC 5546 names is DECLINECOUNTER
    let value = calendar.split(|&o| o == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then(|| value.trim_ascii())
    })?;
    let is_token = value.iter().all(|o| o.is_ascii_alphanumeric() || *o == b'-');
    let is_method = !value.is_empty() && value.len() <= LONGEST_VALUE && is_token;
    is_method.then(|| String::from_utf8_lossy(value).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interest::InterestSpec;
    use proptest::prelude::*;

    fn marks_in(search: Search, encoding: Encoding, charset: &str, max: usize, text: &[u8]) -> Vec<u32> {
        let marks = ["Forwarded message", "message", "begin forwarded", "Grüße"];
        let spec = InterestSpec {
            body_marks: marks.map(str::to_owned).to_vec(),
            ..InterestSpec::default()
        };
        let interest = Interest::new(&spec).unwrap();
        let mut found = Vec::new();
        let mut window = Window::new(search, encoding, charset.as_bytes(), max, b"old".to_vec());
        for octet in text.chunks(1) {
            window.feed(octet);
        }
        window.finish(&interest, &mut found);
        found
    }

    #[test]
    fn marks_are_found_once_each_whatever_wraps_them() {
        use Encoding::{Base64, Identity, QuotedPrintable};
        use Search::{Marks, MarksInHtml};
        type Case = (Search, Encoding, &'static str, &'static [u8], &'static [u32]);
        let cases: &[Case] = &[
            (
                Marks,
                Identity,
                "",
                b"Begin FORWARDED Message: forwarded message",
                &[0, 1, 2],
            ),
            (Marks, QuotedPrintable, "utf-8", b"for=\r\nwarded=20m=65ssage", &[0, 1]),
            (Marks, Base64, "utf-8", b"Zm9yd2FyZGVk\r\nIG1lc3NhZ2U=", &[0, 1]),
            (Marks, Identity, "utf-8", "Grüße".as_bytes(), &[3]),
            (Marks, Identity, "utf-8", b"for<b>warded</b> message", &[1]),
            (
                MarksInHtml,
                Identity,
                "utf-8",
                b"for<b class='x'>warded</b>\r\n  &#109;essage",
                &[0, 1],
            ),
            (
                MarksInHtml,
                Identity,
                "utf-8",
                b"forwarded&nbsp;<!-- > x -->message",
                &[0, 1],
            ),
            (MarksInHtml, Identity, "utf-8", b"forwarded<br>message", &[1]),
            (MarksInHtml, Identity, "", b"<a title='begin forwarded", &[2]),
        ];
        for (search, encoding, charset, text, expected) in cases {
            assert_eq!(
                marks_in(*search, *encoding, charset, 1000, text),
                *expected,
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn only_the_window_is_searched() {
        assert_eq!(
            marks_in(Search::Marks, Encoding::Identity, "", 10, b"message forwarded message"),
            [1]
        );
        assert_eq!(
            marks_in(Search::Marks, Encoding::Identity, "", 6, b"message"),
            [0_u32; 0]
        );
    }

    #[test]
    fn markup_becomes_what_a_reader_sees() {
        let cases: &[(&str, &str)] = &[
            ("a<b>b</b>c", "abc"),
            ("<p>a</p>\r\n\r\n<div x=1>b</div>", "\na\n\nb\n"),
            ("a\r\n   b", "a b"),
            (
                "a&amp;&lt;&#65;&#x42;&#160;&nbsp;&bogus;&#xd800;&#99999999999;&",
                "a&<AB  &bogus;&#xd800;&#99999999999;&",
            ),
            ("a<!-- x > y -->b<!-- open", "ab"),
            ("a<open", "a"),
            ("", ""),
        ];
        for (html, expected) in cases {
            assert_eq!(
                String::from_utf8_lossy(&visible_text(html.as_bytes())),
                *expected,
                "{html}"
            );
        }
    }

    #[test]
    fn the_method_is_found_at_the_start_of_a_line() {
        let cases: &[(&[u8], Option<&str>)] = &[
            (
                b"BEGIN:VCALENDAR\r\nmethod:REQUEST\r\nMETHOD:CANCEL\r\n",
                Some("request"),
            ),
            (b"METHOD: Reply ", Some("reply")),
            (b"X-METHOD:REQUEST", None),
            (b"METHOD:\r\n", None),
            (b"METHOD:no token\r\n", None),
            (b"METHOD:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", None),
            (b"", None),
        ];
        for (calendar, expected) in cases {
            assert_eq!(calendar_method_of(calendar).as_deref(), *expected);
        }
    }
    proptest! {
        #[test]
        fn marks_agree_with_a_plain_search(
            words in prop::collection::vec(prop::sample::select(&["for", "WARD", "ed", " ", "me", "ssage", "Begin", "\n", "x"][..]), 0..60),
            marks in prop::collection::vec("[fwbm][oae]{1,2}[rgs ]?", 0..30),
        ) {
            let text = words.concat();
            let spec = InterestSpec { body_marks: marks.clone(), ..InterestSpec::default() };
            let interest = Interest::new(&spec).unwrap();
            let mut window = Window::new(Search::Marks, Encoding::Identity, b"", 1_000, Vec::new());
            window.feed(text.as_bytes());
            let mut found = Vec::new();
            window.finish(&interest, &mut found);
            let text = text.to_ascii_lowercase();
            let dumb: Vec<u32> = (0..).zip(&marks).filter(|(_, mark)| text.contains(*mark)).map(|(n, _)| n).collect();
            prop_assert_eq!(found, dumb);
        }

        #[test]
        fn any_markup_is_read_to_its_end(html in prop::collection::vec(prop::sample::select(&b"<>!-&#x4;br/p \r\n"[..]), 0..200)) {
            // An entity gives a character of up to four octets for no fewer of its own; a tag gives one line end for three.
            prop_assert!(visible_text(&html).len() <= html.len());
        }
    }
}
