//! Dates (RFC 5322 3.3, obsolete forms 4.3) as RFC 3339 with their own offset.
//!
//! Choices where the rules leave one:
//!
//! - Year: two digits below 50 are 20yy, other two and all three digit years count from 1900 (4.3).
//! - Zone: `UT`, `GMT` and the North American names have their offset; `UTC` counts as UT. `-0000`, military letters and
//!   unknown names say that the offset is unknown (4.3), which RFC 3339 4.3 writes as `-00:00`. So is a missing zone, which
//!   is noted.
//! - A leap second 60 becomes 59, since few readers of RFC 3339 take 60.
//! - The weekday is not checked; what follows the zone is passed over and noted.

use super::lexer::{Grammar, Lexer, Token};
use crate::anomaly::{Anomaly, AnomalySet};

/// The date in *raw*, e.g. `2026-11-22T01:04:17+01:00`; none, and a note, where it does not parse or does not exist.
#[must_use]
pub fn parse(raw: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    let date = common_layout(raw).or_else(|| Reader::new(raw, anomalies).date());
    if date.is_none() {
        anomalies.insert(Anomaly::HeaderMalformedDate);
    }
    date.map(|date| date.to_rfc3339())
}

/// A valid date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DateTime {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    offset: Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    is_west: bool,
    hours: u32,
    minutes: u32,
}

impl Offset {
    const UTC: Self = Self {
        is_west: false,
        hours: 0,
        minutes: 0,
    };
    /// `-0000`: the time is UTC, the sender's offset is not told (RFC 5322 3.3).
    const UNKNOWN: Self = Self {
        is_west: true,
        hours: 0,
        minutes: 0,
    };

    const fn west(hours: u32) -> Self {
        Self {
            is_west: true,
            hours,
            minutes: 0,
        }
    }
}

impl DateTime {
    fn to_rfc3339(self) -> String {
        let mut text = *b"0000-00-00T00:00:00+00:00";
        let mut put = |at: usize, number: u32| {
            text[at] += (number / 10 % 10) as u8;
            text[at + 1] += (number % 10) as u8;
        };
        put(0, self.year / 100);
        put(2, self.year);
        put(5, self.month);
        put(8, self.day);
        put(11, self.hour);
        put(14, self.minute);
        put(17, self.second);
        put(20, self.offset.hours);
        put(23, self.offset.minutes);
        if self.offset.is_west {
            text[19] = b'-';
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn exists(&self) -> bool {
        (1..=days(self.year, self.month)).contains(&self.day)
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 60
            && self.offset.hours <= 23
            && self.offset.minutes <= 59
    }
}

/// The date in the layout that nearly every mailer writes, read by position: `Sun, 22 Nov 2026 01:04:17 +0100 (CET)`.
///
/// None for any other layout, which says nothing about the date.
fn common_layout(raw: &[u8]) -> Option<DateTime> {
    let raw = raw.strip_prefix(b" ").unwrap_or(raw);
    let raw = match raw {
        [a, b, c, b',', b' ', rest @ ..] if [a, b, c].iter().all(|octet| octet.is_ascii_alphabetic()) => rest,
        _ => raw,
    };
    let day_digits = raw.iter().position(|&octet| octet == b' ')?;
    let day = number(&raw[..day_digits], 1..=2)?;
    let (fixed, behind) = raw[day_digits..].split_at_checked(b" Nov 2026 01:04:17 +0100".len())?;
    let breaks = [0, 4, 9, 12, 15, 18].map(|at| fixed[at]);
    if breaks != *b"   :: " || !(behind.is_empty() || is_plain_comment(behind)) {
        return None;
    }
    let pair = |at: usize| number(&fixed[at..at + 2], 2..=2);
    let date = DateTime {
        year: number(&fixed[5..9], 4..=4).filter(|&year| year >= 1900)?,
        month: month(&fixed[1..4])?,
        day,
        hour: pair(10)?,
        minute: pair(13)?,
        second: pair(16).filter(|&second| second <= 60)?.min(59),
        offset: Offset {
            is_west: match fixed[19] {
                b'+' => false,
                b'-' => true,
                _ => return None,
            },
            hours: pair(20)?,
            minutes: pair(22)?,
        },
    };
    date.exists().then_some(date)
}

/// True for ` (CET)`: a blank and a comment without anything that needs a closer look.
fn is_plain_comment(text: &[u8]) -> bool {
    match text {
        [b' ', b'(', name @ .., b')'] => name.iter().all(u8::is_ascii_alphanumeric),
        _ => false,
    }
}

struct Reader<'a, 'o> {
    lexer: Lexer<'a>,
    token: Option<Token<'a>>,
    anomalies: &'o mut AnomalySet,
}

impl<'a, 'o> Reader<'a, 'o> {
    fn new(raw: &'a [u8], anomalies: &'o mut AnomalySet) -> Self {
        let mut lexer = Lexer::new(raw, Grammar::Address);
        let token = lexer.next_but_comments();
        Self {
            lexer,
            token,
            anomalies,
        }
    }

    fn date(&mut self) -> Option<DateTime> {
        self.skip_weekday();
        let day = number(self.word()?, 1..=2)?;
        let month = month(self.word()?)?;
        let year = self.year()?;
        let hour = number(self.word()?, 1..=2)?;
        self.colon()?;
        let minute = number(self.word()?, 2..=2)?;
        let second = self.second()?.min(59);
        let offset = self.offset()?;
        if self.token.is_some() {
            self.anomalies.insert(Anomaly::HeaderMalformedDate);
        }
        let date = DateTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
            offset,
        };
        date.exists().then_some(date)
    }

    fn advance(&mut self) -> Option<Token<'a>> {
        std::mem::replace(&mut self.token, self.lexer.next_but_comments())
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        match self.advance()? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn colon(&mut self) -> Option<()> {
        (self.advance()? == Token::Special(b':')).then_some(())
    }

    fn skip_weekday(&mut self) {
        if matches!(self.token, Some(Token::Word(word)) if word[0].is_ascii_alphabetic()) {
            self.advance();
        }
        if self.token == Some(Token::Special(b',')) {
            self.advance();
        }
    }

    fn year(&mut self) -> Option<u32> {
        let word = self.word()?;
        let year = number(word, 2..=4)?;
        if word.len() < 4 {
            self.anomalies.insert(Anomaly::HeaderObsoleteSyntax);
        }
        match word.len() {
            2 if year < 50 => Some(2000 + year),
            2 | 3 => Some(1900 + year),
            _ => (year >= 1900).then_some(year),
        }
    }

    /// The second, 0 to 60; 0 if there is none.
    fn second(&mut self) -> Option<u32> {
        if self.token != Some(Token::Special(b':')) {
            return Some(0);
        }
        self.advance();
        number(self.word()?, 2..=2).filter(|&second| second <= 60)
    }

    fn offset(&mut self) -> Option<Offset> {
        let Some(Token::Word(zone)) = self.token else {
            self.anomalies.insert(Anomaly::HeaderMalformedDate);
            return Some(Offset::UNKNOWN);
        };
        self.advance();
        if !matches!(zone[0], b'+' | b'-') {
            self.anomalies.insert(Anomaly::HeaderObsoleteSyntax);
            return named_offset(zone);
        }
        let (hours, minutes) = (number(zone.get(1..3)?, 2..=2)?, number(zone.get(3..)?, 2..=2)?);
        Some(Offset {
            is_west: zone[0] == b'-',
            hours,
            minutes,
        })
    }
}

/// The offset of an obsolete zone (RFC 5322 4.3); none if *zone* is no name.
fn named_offset(zone: &[u8]) -> Option<Offset> {
    if !zone.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let mut name = [0; 3];
    if let Some(name) = name.get_mut(..zone.len()) {
        name.copy_from_slice(zone);
        name.make_ascii_uppercase();
    }
    Some(match &name {
        b"UT\0" | b"GMT" | b"UTC" => Offset::UTC,
        b"EDT" => Offset::west(4),
        b"EST" | b"CDT" => Offset::west(5),
        b"CST" | b"MDT" => Offset::west(6),
        b"MST" | b"PDT" => Offset::west(7),
        b"PST" => Offset::west(8),
        _ => Offset::UNKNOWN,
    })
}

/// *digits* as a number, if there are as many as *lengths* allows (at most 9) and nothing else.
fn number(digits: &[u8], lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
    if !lengths.contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0')),
    )
}

/// 1 to 12.
fn month(name: &[u8]) -> Option<u32> {
    let &[a, b, c] = name else { return None };
    Some(match &[a, b, c].map(|octet| octet.to_ascii_lowercase()) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

const fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(raw: &str) -> (Option<String>, Vec<Anomaly>) {
        let mut anomalies = AnomalySet::default();
        let date = parse(raw.as_bytes(), &mut anomalies);
        (date, anomalies.iter().collect())
    }

    #[test]
    fn reads_current_and_obsolete_forms() {
        use Anomaly::{HeaderMalformedDate as Malformed, HeaderObsoleteSyntax as Obsolete};
        let table: &[(&str, &str, &[Anomaly])] = &[
            (" Sun, 22 Nov 2026 01:04:17 +0100", "2026-11-22T01:04:17+01:00", &[]),
            ("22 Nov 2026 01:04 -0330", "2026-11-22T01:04:00-03:30", &[]),
            (
                "Sun, 22\r\n Nov 2026\r\n\t01:04:17 +0100 (CET (DST))",
                "2026-11-22T01:04:17+01:00",
                &[],
            ),
            ("Sun 2 nov 2026 1:04:17 +0000", "2026-11-02T01:04:17+00:00", &[]),
            ("Thu, 29 Feb 2024 23:59:60 +0000", "2024-02-29T23:59:59+00:00", &[]),
            ("22 Nov 2026 01:04:17 -0000", "2026-11-22T01:04:17-00:00", &[]),
            (
                "Sun (x) , 22 (y) Nov 26 01 : 04 : 17 GMT",
                "2026-11-22T01:04:17+00:00",
                &[Obsolete],
            ),
            ("22 Nov 97 01:04:17 EST", "1997-11-22T01:04:17-05:00", &[Obsolete]),
            ("22 Nov 126 01:04:17 +0000", "2026-11-22T01:04:17+00:00", &[Obsolete]),
            ("22 Nov 2026 01:04:17 utc", "2026-11-22T01:04:17+00:00", &[Obsolete]),
            ("22 Nov 2026 01:04:17 Z", "2026-11-22T01:04:17-00:00", &[Obsolete]),
            ("22 Nov 2026 01:04:17 CEST", "2026-11-22T01:04:17-00:00", &[Obsolete]),
            ("22 Nov 2026 01:04:17", "2026-11-22T01:04:17-00:00", &[Malformed]),
            (
                "22 Nov 2026 01:04:17 +0100 trailing",
                "2026-11-22T01:04:17+01:00",
                &[Malformed],
            ),
        ];
        for (raw, expected, anomalies) in table {
            assert_eq!(read(raw), (Some((*expected).to_owned()), anomalies.to_vec()), "{raw}");
        }
    }

    #[test]
    fn what_is_no_date_is_none_and_noted() {
        for raw in [
            "",
            "now",
            "31 Feb 2026 01:04:17 +0100",
            "29 Feb 2100 00:00 +0000",
            "22 Nov 2026 24:00:00 +0000",
            "22 Nov 2026 01:60 +0000",
            "22 Nov 2026 01:04:61 +0000",
            "22 Nov 99999 01:04 +0000",
            "22 Nov 1899 01:04 +0000",
            "22 Nov 2026 01:04 +9999",
            "22 Nov 2026 01:04 +01:00",
            "22 Nov 2026 01:04 1",
            "0 Nov 2026 01:04 +0000",
            "Sun, Nov 22 2026 01:04:17 +0000",
            "22 Nov 2026 01:04:17 +\u{fc}\u{fc}",
            "\"22\" Nov 2026 01:04 +0000",
        ] {
            let (date, anomalies) = read(raw);
            assert_eq!(date, None, "{raw}");
            assert!(anomalies.contains(&Anomaly::HeaderMalformedDate), "{raw}");
        }
    }

    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];

    proptest! {
        #[test]
        fn a_printed_date_reads_back(
            year in 1900_u32..10_000, month in 1_u32..=12, day in 1_u32..=28, hour in 0_u32..24, minute in 0_u32..60,
            second in 0_u32..60, west: bool, zone_hours in 0_u32..24, zone_minutes in 0_u32..60, blank in "( |\t|\r\n |\\(c\\) )",
        ) {
            let sign = if west { '-' } else { '+' };
            let raw = format!(
                "{day}{blank}{}{blank}{year:04}{blank}{hour:02}:{minute:02}:{second:02}{blank}{sign}{zone_hours:02}{zone_minutes:02}",
                MONTHS[month as usize - 1]
            );
            let expected = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{zone_hours:02}:{zone_minutes:02}");
            prop_assert_eq!(read(&raw), (Some(expected), vec![]));
        }

        /// The reader by position against the reader by tokens.
        #[test]
        fn the_common_layout_reads_as_any_other(raw in "( |)(Sun, |)[0-3]?[0-9] (Feb|Nov|nov|Nix) (2024|1899|20x6) [0-2][0-9]:[0-6][0-9]:[0-6][0-9] [+-][0-2][0-9][0-9][0-9]( \\(CET\\)| \\(C|| x|x)") {
            if let Some(date) = common_layout(raw.as_bytes()) {
                let mut anomalies = AnomalySet::default();
                let by_tokens = Reader::new(raw.as_bytes(), &mut anomalies).date();
                prop_assert_eq!(by_tokens, Some(date));
                prop_assert!(anomalies.is_empty());
            }
        }

        #[test]
        fn any_text_is_read(raw in "[0-9A-Za-z:+,() -]{0,40}") {
            let _ = read(&raw);
        }
    }
}
