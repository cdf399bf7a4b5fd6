//! List-Id (RFC 2919): the identifier between the brackets, as written.

use super::lexer::{Grammar, Lexer, Token};
use super::text::{is_blank, push_utf8};
use crate::anomaly::{Anomaly, AnomalySet};

/// The identifier in *raw*: in the last angle brackets outside of quotes and comments, or the only word there is.
#[must_use]
pub fn parse(raw: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    let mut lexer = Lexer::new(raw, Grammar::Address);
    let (mut bracketed, mut only_word, mut tokens) = (None, None, 0_u32);
    while let Some(token) = lexer.next_but_comments() {
        tokens = tokens.saturating_add(1);
        match token {
            Token::Special(b'<') => bracketed = Some(lexer.rest()),
            Token::Word(word) => only_word = Some(word),
            _ => {}
        }
    }
    let identifier = match bracketed {
        Some(rest) => rest.split(|&octet| octet == b'>').next(),
        None => only_word.filter(|_| tokens == 1),
    };
    let identifier = print(identifier.unwrap_or_default(), anomalies);
    if identifier.is_none() {
        anomalies.insert(Anomaly::HeaderMalformedIdentifier);
    }
    identifier
}

fn print(identifier: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    let mut text = String::with_capacity(identifier.len());
    for piece in identifier.split(|&octet| is_blank(octet)) {
        push_utf8(&mut text, piece, anomalies);
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_stands_in_the_last_brackets() {
        let table: &[(&[u8], Option<&str>)] = &[
            (b" The <b> list <list.example.org>", Some("list.example.org")),
            (b"\"<quoted>\" <list.example.org>", Some("list.example.org")),
            (b"<list.\r\n example.org>", Some("list.example.org")),
            (b"list.example.org", Some("list.example.org")),
            (b"<list.example.org", Some("list.example.org")),
            (b"<List.Example.Org> (note)", Some("List.Example.Org")),
            (b"two words", None),
            (b"<>", None),
            (b"", None),
        ];
        for (raw, expected) in table {
            let mut anomalies = AnomalySet::default();
            assert_eq!(parse(raw, &mut anomalies).as_deref(), *expected, "{raw:?}");
            assert_eq!(
                anomalies.contains(Anomaly::HeaderMalformedIdentifier),
                expected.is_none()
            );
        }
    }
}
