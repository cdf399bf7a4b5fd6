//! The first octets of a text part: decoded, searched for marks, dropped.

use super::labels::{self, Block};
use super::transfer::{Decoder, Encoding, Head, Sink};
use crate::anomaly::AnomalySet;
use crate::header::encoded_word::decode_charset;
use crate::interest::Interest;
use crate::message::BodyFacts;

/// What is looked for in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The marks of the artifact table, in the text as it stands.
    Marks,
    /// The same, and once more in what a reader of HTML would see.
    MarksInHtml,
    /// The addresses in the header of a mail that a report returns.
    ReturnedHeader,
    /// METHOD of a calendar object, whose part doesn't tell it (RFC 5546 1.4).
    CalendarMethod,
}

/// The first decoded octets of one text part.
#[derive(Clone)]
pub(super) struct Window {
    search: Search,
    decoder: Decoder,
    head: Head,
    charset: Vec<u8>,
}

/// What makes a window worth a closer look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Closer {
    /// Quoted header blocks are wanted even where there is no mark.
    pub(super) labels: bool,
    /// The mail is a report: the addresses in a text that holds a mark are wanted, up to this many in all.
    pub(super) addresses_max: usize,
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
    /// Octets it holds beside its own size.
    pub(super) fn held_octets(&self) -> usize {
        self.head.octets.len() + self.charset.len()
    }

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

    /// Searches the window. What is found is added to *facts*, whose lists of numbers stay ascending and without doubles.
    pub(super) fn finish(mut self, interest: &Interest, closer: Closer, facts: &mut BodyFacts) -> Seen {
        let is_broken = self.decoder.finish(&mut self.head);
        let search_for = self.search;
        let text = self.into_text();
        let mut calendar_method = None;
        match search_for {
            Search::CalendarMethod => calendar_method = calendar_method_of(&text),
            _ if interest.body_marks().is_none() => {}
            Search::ReturnedHeader => returned_header(&text, closer, facts),
            Search::Marks => search(interest, &text, closer, facts),
            Search::MarksInHtml => search_html(interest, &text, closer, facts),
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

/// Searches the source of a page for marks that are markup, and what a reader sees of it for the others.
fn search_html(interest: &Interest, source: &[u8], closer: Closer, facts: &mut BodyFacts) {
    let in_markup = hits(interest, source);
    let closer = Closer {
        labels: closer.labels || !in_markup.is_empty(),
        ..closer
    };
    search(interest, &visible_text(source), closer, facts);
    for (number, _) in in_markup {
        insert(&mut facts.marks, number);
        // Marks of markup tell where the block is, and are gone from what a reader sees of it.
        if !facts.label_languages.is_empty() {
            insert(&mut facts.labelled_marks, number);
        }
    }
}

fn search(interest: &Interest, text: &[u8], closer: Closer, facts: &mut BodyFacts) {
    let hits = hits(interest, text);
    if hits.is_empty() && !closer.labels {
        return;
    }
    let blocks = labels::blocks(interest, text);
    for block in &blocks {
        insert(&mut facts.label_languages, block.language.trailing_zeros());
    }
    for (number, end) in &hits {
        insert(&mut facts.marks, *number);
        if is_followed(*end, &blocks) {
            insert(&mut facts.labelled_marks, *number);
        }
    }
    if !hits.is_empty() && closer.addresses_max > 0 {
        addresses(text, closer.addresses_max, &mut facts.reported_addresses);
    }
}

/// Every mark in *text*, as its number and where it ends.
fn hits(interest: &Interest, text: &[u8]) -> Vec<(u32, usize)> {
    let Some(marks) = interest.body_marks().filter(|_| interest.may_mark_body(text)) else {
        return Vec::new();
    };
    marks
        .find_overlapping_iter(text)
        .map(|hit| (hit.pattern().as_u32(), hit.end()))
        .collect()
}

fn insert(numbers: &mut Vec<u32>, number: u32) {
    if let Err(place) = numbers.binary_search(&number) {
        numbers.insert(place, number);
    }
}

/// True if one of *blocks*, which stand in the order of the text, begins a few lines behind a mark that ends at *end*.
fn is_followed(end: usize, blocks: &[Block]) -> bool {
    const OCTETS_BETWEEN: usize = 400; // a few empty lines, or the tags that Yahoo and Apple put between
    let next = blocks.partition_point(|block| block.start < end);
    blocks
        .get(next)
        .is_some_and(|block| block.start - end <= OCTETS_BETWEEN)
}

/// Adds the addresses in *text* to *found*, up to *max* in all: what looks like one, from the letters around each `@`.
fn addresses(text: &[u8], max: usize, found: &mut Vec<String>) {
    const LONGEST: usize = 254; // RFC 5321 4.5.3.1.3, without the angle brackets
    for at in memchr::memchr_iter(b'@', text) {
        if found.len() >= max {
            return;
        }
        let before = text[..at]
            .iter()
            .rev()
            .take(LONGEST)
            .take_while(|octet| is_local(**octet))
            .count();
        let after = text[at + 1..]
            .iter()
            .take(LONGEST)
            .take_while(|octet| is_domain(**octet))
            .count();
        let domain = text[at + 1..=at + after].trim_ascii_end();
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        if before == 0 || !domain.contains(&b'.') {
            continue;
        }
        let address = &text[at - before..at + 1 + domain.len()];
        let address = String::from_utf8_lossy(address).into_owned();
        if !found.contains(&address) {
            found.push(address);
        }
    }
}

/// Adds the addresses that tell whose mail a returned *header* was, if the report it belongs to holds a mark.
fn returned_header(header: &[u8], closer: Closer, facts: &mut BodyFacts) {
    const FIELDS: [&[u8]; 6] = [
        b"to:",
        b"cc:",
        b"resent-from:",
        b"delivered-to:",
        b"x-ms-exchange-inbox-rules-loop:",
        b"x-ms-exchange-forwardingloop:",
    ];
    if facts.marks.is_empty() {
        return;
    }
    let lines = header.split(|&octet| octet == b'\n').map(<[u8]>::trim_ascii_end);
    for line in lines.take_while(|line| !line.is_empty()) {
        if FIELDS.iter().any(|field| line.starts_with(field)) {
            addresses(line, closer.addresses_max, &mut facts.reported_addresses);
        }
    }
}

/// An octet of a local part as addresses are written in running text (RFC 5321 Dot-string, RFC 6531).
const fn is_local(octet: u8) -> bool {
    is_domain(octet)
        || matches!(
            octet,
            b'_' | b'+' | b'=' | b'~' | b'#' | b'$' | b'%' | b'&' | b'!' | b'/'
        )
}

const fn is_domain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-') || octet >= 0x80
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
        let mut facts = BodyFacts::default();
        let mut window = Window::new(search, encoding, charset.as_bytes(), max, b"old".to_vec());
        for octet in text.chunks(1) {
            window.feed(octet);
        }
        window.finish(&interest, Closer::default(), &mut facts);
        facts.marks
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

    fn closer_look(search: Search, closer: Closer, text: &str) -> BodyFacts {
        let labels = [(0, 0, "From"), (0, 1, "Sent"), (1, 0, "Von"), (1, 1, "Gesendet")];
        let spec = InterestSpec {
            body_marks: vec!["-- forwarded --".to_owned(), "divfwd".to_owned()],
            labels: labels
                .map(|(language, kind, text)| crate::interest::LabelSpec {
                    language,
                    kind,
                    text: text.to_owned(),
                })
                .to_vec(),
            ..InterestSpec::default()
        };
        let mut facts = BodyFacts::default();
        let mut window = Window::new(search, Encoding::Identity, b"utf-8", 4_096, Vec::new());
        window.feed(text.as_bytes());
        window.finish(&Interest::new(&spec).unwrap(), closer, &mut facts);
        facts
    }

    #[test]
    fn a_mark_is_labelled_if_a_header_block_follows_it() {
        use Search::{Marks, MarksInHtml};
        let far = format!("-- forwarded --\n{}\nFrom: a\nSent: b\n", "x".repeat(500));
        let cases: &[(Search, &str, &[u32], &[u32])] = &[
            (Marks, "-- forwarded --\n\nFrom: a\nSent: b\n", &[0], &[0]),
            (Marks, "-- Forwarded --\n> Von: a\n> Gesendet: b\n", &[0], &[1]),
            (Marks, "-- forwarded --\nhello\n", &[], &[]),
            (Marks, "-- forwarded --\nFrom: me\n", &[], &[]),
            (Marks, "From: a\nSent: b\n-- forwarded --\n", &[], &[0]),
            (Marks, &far, &[], &[0]),
            (
                MarksInHtml,
                "<p>-- forwarded --</p><b>From:</b> a<br><b>Sent:</b> b",
                &[0],
                &[0],
            ),
            (
                MarksInHtml,
                "<div id=divfwd><b>Von:</b> a<br><b>Gesendet:</b> b",
                &[1],
                &[1],
            ),
            (MarksInHtml, "<div id=divfwd>hello", &[], &[]),
        ];
        for (search, text, labelled, languages) in cases {
            let facts = closer_look(*search, Closer::default(), text);
            assert_eq!(
                (&*facts.labelled_marks, &*facts.label_languages),
                (*labelled, *languages),
                "{text}"
            );
        }
    }

    #[test]
    fn blocks_alone_are_looked_for_when_asked() {
        let text = "Hello\n\nVon: a\nGesendet: b\n";
        let asked = Closer {
            labels: true,
            ..Closer::default()
        };
        assert_eq!(closer_look(Search::Marks, asked, text).label_languages, [1]);
        assert_eq!(
            closer_look(Search::Marks, Closer::default(), text).label_languages,
            [0_u32; 0]
        );
    }

    #[test]
    fn a_report_names_addresses_if_it_holds_a_mark() {
        let report = Closer {
            labels: false,
            addresses_max: 2,
        };
        let text = "-- forwarded -- <Lea@corp.example>, x@y, (lea@corp.example). To ext+1@dst.example. And c@d.example";
        let found = closer_look(Search::Marks, report, text).reported_addresses;
        assert_eq!(found, ["lea@corp.example", "ext+1@dst.example"]);
        let without = closer_look(Search::Marks, report, "lea@corp.example").reported_addresses;
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn a_returned_header_names_its_mailbox_if_the_report_holds_a_mark() {
        let closer = Closer {
            labels: false,
            addresses_max: 8,
        };
        let header =
            b"From: a@b.example\r\nTo: Lea <lea@corp.example>\r\nMessage-ID: <1@b.example>\r\n\r\nTo: not@this.example";
        for (marks, expected) in [(vec![0], vec!["lea@corp.example"]), (vec![], vec![])] {
            let mut facts = BodyFacts {
                marks,
                ..BodyFacts::default()
            };
            returned_header(&header.to_ascii_lowercase(), closer, &mut facts);
            assert_eq!(facts.reported_addresses, expected);
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
            let mut facts = BodyFacts::default();
            window.finish(&interest, Closer::default(), &mut facts);
            let text = text.to_ascii_lowercase();
            let dumb: Vec<u32> = (0..).zip(&marks).filter(|(_, mark)| text.contains(*mark)).map(|(n, _)| n).collect();
            prop_assert_eq!(facts.marks, dumb);
        }

        #[test]
        fn any_markup_is_read_to_its_end(html in prop::collection::vec(prop::sample::select(&b"<>!-&#x4;br/p \r\n"[..]), 0..200)) {
            // An entity gives a character of up to four octets for no fewer of its own; a tag gives one line end for three.
            prop_assert!(visible_text(&html).len() <= html.len());
        }
    }
}
