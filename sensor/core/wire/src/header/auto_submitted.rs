//! Auto-Submitted (RFC 3834 5): its keyword.

use super::lexer::{Grammar, Lexer, Token};
use super::text::push_utf8;
use crate::anomaly::AnomalySet;

/// The first word of *raw* in lower case; parameters and comments are passed over.
#[must_use]
pub fn parse(raw: &[u8], anomalies: &mut AnomalySet) -> Option<String> {
    match Lexer::new(raw, Grammar::Address).next_but_comments()? {
        Token::Word(word) => {
            let mut keyword = String::with_capacity(word.len());
            push_utf8(&mut keyword, word, anomalies);
            keyword.make_ascii_lowercase();
            Some(keyword)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyword_is_the_first_word() {
        let table: &[(&[u8], Option<&str>)] = &[
            (b" auto-generated", Some("auto-generated")),
            (b" Auto-Replied; owner-email=\"a@x\"", Some("auto-replied")),
            (b"\r\n (rule) auto-notified(x)", Some("auto-notified")),
            (b"auto-generated (Mailbox Rules Agent)", Some("auto-generated")),
            (b"", None),
            (b";", None),
            (b"\"no\"", None),
        ];
        for (raw, expected) in table {
            assert_eq!(parse(raw, &mut AnomalySet::default()).as_deref(), *expected, "{raw:?}");
        }
    }
}
