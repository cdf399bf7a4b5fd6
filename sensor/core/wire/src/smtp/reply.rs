//! Replies: lines of one code put together (RFC 5321 4.2), with their enhanced status code (RFC 2034, RFC 3463).

use super::line::Line;
use super::state::ReplyClass;
use crate::anomaly::{Anomaly, AnomalySet};
use crate::limits::Limits;
use crate::record::event::Reply;

/// Collects the lines of one reply.
#[derive(Debug, Default)]
pub struct ReplyReader {
    reply: Option<Reply>,
    lines: usize,
    keywords: Vec<Keyword>,
}

/// The EHLO keywords that the session machine acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// Commands may be sent in groups (RFC 2920).
    Pipelining,
}

/// A whole reply, and the EHLO keywords among its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeReply {
    /// The reply.
    pub reply: Reply,
    /// EHLO keywords seen in its lines, if it was a 250.
    pub keywords: Vec<Keyword>,
}

impl ReplyReader {
    /// Adds *line*; gives the reply when this was its last line. A line without a code is noted and skipped.
    ///
    /// Most replies say that all is well, and nobody asks in which words: unless *keeps_words*, the text of lines that do not
    /// refuse is left out.
    pub fn line(
        &mut self,
        line: &Line<'_>,
        keeps_words: bool,
        limits: &Limits,
        anomalies: &mut AnomalySet,
    ) -> Option<WholeReply> {
        let Some((code, more, text)) = parse_line(line.octets) else {
            anomalies.insert(Anomaly::SmtpMalformedReply);
            return None;
        };
        if let Some(reply) = &self.reply {
            if reply.code != code {
                anomalies.insert(Anomaly::SmtpMultilineCodeMismatch);
            }
        }
        self.lines += 1;
        let is_news = !self.keywords.contains(&Keyword::Pipelining);
        if code == 250 && is_news && text.eq_ignore_ascii_case(b"PIPELINING") {
            self.keywords.push(Keyword::Pipelining);
        }
        // The last line's code is the one that counts where they differ: servers that err do so on early lines.
        let reply = self.reply.get_or_insert_with(|| Reply {
            code,
            enhanced: None,
            text: String::new(),
        });
        reply.code = code;
        if keeps_words || ReplyClass::of(code).is_negative() {
            self.keep_words(code, text, limits);
        }
        if more {
            return None;
        }
        self.lines = 0;
        let keywords = std::mem::take(&mut self.keywords);
        self.reply.take().map(|reply| WholeReply { reply, keywords })
    }

    fn keep_words(&mut self, code: u16, text: &[u8], limits: &Limits) {
        let Some(reply) = &mut self.reply else { return };
        let (enhanced, text) = split_enhanced(code, text);
        if reply.enhanced.is_none() {
            reply.enhanced = enhanced.map(|enhanced| String::from_utf8_lossy(enhanced).into_owned());
        }
        if self.lines <= limits.reply_lines {
            append(&mut reply.text, text, limits.reply_text_octets);
        }
    }

    /// Forgets the lines of a reply that was cut by a gap.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn append(text: &mut String, more: &[u8], limit: usize) {
    if more.is_empty() || text.len() >= limit {
        return;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(&String::from_utf8_lossy(more));
    if text.len() > limit {
        let cut = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
    }
}

/// Code, whether more lines follow, and the text of one reply line.
#[must_use]
pub fn parse_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let code = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    match rest {
        [] => Some((code, false, b"")),
        [b'-', text @ ..] => Some((code, true, text.trim_ascii())),
        // A tab in place of the blank is wrong and harmless.
        [b' ' | b'\t', text @ ..] => Some((code, false, text.trim_ascii())),
        _ => None,
    }
}

/// Splits an enhanced status code off *text*; its class must agree with the code's (RFC 2034 4).
fn split_enhanced(code: u16, text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let end = text.iter().position(|octet| *octet == b' ').unwrap_or(text.len());
    let word = &text[..end];
    let mut parts = word.split(|octet| *octet == b'.');
    let (Some(class), Some(subject), Some(detail), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return (None, text);
    };
    let number = |part: &[u8]| !part.is_empty() && part.len() <= 3 && part.iter().all(u8::is_ascii_digit);
    let agrees = matches!(class, [digit @ (b'2' | b'4' | b'5')] if u16::from(digit - b'0') == code / 100);
    if agrees && number(subject) && number(detail) {
        (Some(word), text[end..].trim_ascii())
    } else {
        (None, text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::LineEnd;
    use super::*;

    fn read(lines: &[&str]) -> (Vec<WholeReply>, AnomalySet) {
        let mut reader = ReplyReader::default();
        let mut anomalies = AnomalySet::default();
        let limits = Limits {
            reply_lines: 3,
            reply_text_octets: 24,
            ..Limits::default()
        };
        let replies = lines
            .iter()
            .filter_map(|line| {
                let line = Line {
                    octets: line.as_bytes(),
                    end: LineEnd::CrLf,
                    dropped: 0,
                };
                reader.line(&line, true, &limits, &mut anomalies)
            })
            .collect();
        (replies, anomalies)
    }

    fn reply(code: u16, enhanced: Option<&str>, text: &str) -> Reply {
        Reply {
            code,
            enhanced: enhanced.map(str::to_owned),
            text: text.to_owned(),
        }
    }

    #[test]
    fn single_and_multi_line_replies_come_out_whole() {
        let (got, anomalies) = read(&[
            "220 mx ESMTP",
            "250-mx",
            "250-PIPELINING",
            "250 DSN",
            "550 5.1.1 no such",
            "250",
            "354\tgo",
        ]);
        let replies: Vec<Reply> = got.iter().map(|whole| whole.reply.clone()).collect();
        assert_eq!(
            replies,
            [
                reply(220, None, "mx ESMTP"),
                reply(250, None, "mx PIPELINING DSN"),
                reply(550, Some("5.1.1"), "no such"),
                reply(250, None, ""),
                reply(354, None, "go"),
            ]
        );
        assert_eq!(got[1].keywords, [Keyword::Pipelining]);
        assert!(anomalies.is_empty());
    }

    #[test]
    fn an_enhanced_code_of_another_class_is_text() {
        let (got, _) = read(&["250 5.1.1 odd", "250 2.0.0.1 x", "250 2.1.5"]);
        assert_eq!(got[0].reply, reply(250, None, "5.1.1 odd"));
        assert_eq!(got[1].reply, reply(250, None, "2.0.0.1 x"));
        assert_eq!(got[2].reply, reply(250, Some("2.1.5"), ""));
    }

    #[test]
    fn text_is_cut_at_its_bound_and_between_characters() {
        let (got, _) = read(&["250-äöüäöüäöü", "250 äöüäöüäöü"]);
        assert!(got[0].reply.text.len() <= 24);
        assert!(got[0].reply.text.starts_with("äöüäöüäöü "));
    }

    #[test]
    fn odd_lines_are_noted_and_skipped() {
        let (got, anomalies) = read(&["hello", "25x no", "250-a", "550 b", "2500 c"]);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].reply.code, 550);
        assert!(anomalies.contains(Anomaly::SmtpMalformedReply));
        assert!(anomalies.contains(Anomaly::SmtpMultilineCodeMismatch));
    }
}
