//! The tokens of structured field values (RFC 5322 3.2): words, quoted strings, domain literals, comments, specials.
//!
//! Line ends count as blanks, so folds need no step of their own. A quote, bracket or parenthesis that is never closed is
//! handed out as a special, and so is every later one of its kind: the search for a closing is not repeated, which keeps
//! the whole linear in the length of the value.

use memchr::{memchr, memchr2, memchr3};

use super::text::is_blank;

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A run of octets without blanks and breaks; dots are part of it.
    Word(&'a [u8]),
    /// What stands between two quotes, quoted pairs left as written.
    Quoted(&'a [u8]),
    /// A domain literal with its brackets.
    Literal(&'a [u8]),
    /// What stands between two matching parentheses.
    Comment(&'a [u8]),
    /// One octet that breaks words.
    Special(u8),
}

/// What ends a word, besides blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Grammar {
    /// `( ) < > [ ] : ; @ , "`: the specials of RFC 5322 3.2.3 but dot and backslash.
    Address = 1,
    /// `( ) < > ; ,`: clauses of a Received line, whose words hold colons, brackets and quotes.
    Trace = 2,
}

/// Reads the tokens of one value.
#[derive(Debug)]
pub struct Lexer<'a> {
    raw: &'a [u8],
    at: usize,
    grammar: Grammar,
    unclosed: Unclosed,
    /// True if blanks or a comment stood before the last token.
    pub blank_before: bool,
}

/// Which kinds of opening were found without their closing.
#[derive(Clone, Copy, Debug, Default)]
struct Unclosed {
    comment: bool,
    quote: bool,
    literal: bool,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of *raw*.
    #[must_use]
    pub fn new(raw: &'a [u8], grammar: Grammar) -> Self {
        Self {
            raw,
            at: 0,
            grammar,
            unclosed: Unclosed::default(),
            blank_before: false,
        }
    }

    /// True if a quote, bracket or parenthesis was opened and never closed.
    #[must_use]
    pub fn found_unclosed(&self) -> bool {
        self.unclosed.comment || self.unclosed.quote || self.unclosed.literal
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.raw[self.at..]
    }

    /// Passes over the next *octets*, at most to the end.
    pub fn pass_over(&mut self, octets: usize) {
        self.at = self.at.saturating_add(octets).min(self.raw.len());
    }

    /// The next token that is no comment.
    pub fn next_but_comments(&mut self) -> Option<Token<'a>> {
        let mut after_comment = false;
        loop {
            match self.next()? {
                Token::Comment(_) => after_comment = true,
                token => {
                    self.blank_before |= after_comment;
                    return Some(token);
                }
            }
        }
    }

    #[inline]
    fn skip_blanks(&mut self) {
        let rest = self.rest();
        let blanks = rest.iter().position(|&octet| !is_blank(octet));
        let blanks = blanks.unwrap_or(rest.len());
        self.blank_before = blanks > 0;
        self.at += blanks;
    }

    /// The token that opens with the break *first*, and its length.
    fn opened(&mut self, first: u8) -> (Token<'a>, usize) {
        let rest = &self.raw[self.at + 1..];
        let (unclosed, closing) = match first {
            b'(' => (&mut self.unclosed.comment, comment_end as fn(&[u8]) -> _),
            b'"' => (&mut self.unclosed.quote, quote_end as fn(&[u8]) -> _),
            b'[' => (&mut self.unclosed.literal, literal_end as fn(&[u8]) -> _),
            _ => return (Token::Special(first), 1),
        };
        let end = if *unclosed { None } else { closing(rest) };
        let Some(end) = end else {
            *unclosed = true;
            return (Token::Special(first), 1);
        };
        let token = match first {
            b'(' => Token::Comment(&rest[..end]),
            b'"' => Token::Quoted(&rest[..end]),
            _ => Token::Literal(&self.raw[self.at..self.at + end + 2]),
        };
        (token, end + 2)
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let rest = self.rest();
        let &first = rest.first()?;
        let class = self.grammar as u8;
        let is_break = |octet: u8| CLASSES[usize::from(octet)] & class != 0;
        let (token, length) = if is_break(first) {
            self.opened(first)
        } else {
            let length = rest.iter().position(|&octet| is_break(octet));
            let length = length.unwrap_or(rest.len());
            (Token::Word(&rest[..length]), length)
        };
        self.at += length;
        Some(token)
    }
}

/// Which [`Grammar`]s an octet breaks words in, as their bits.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    const fn set(mut table: [u8; 256], octets: &[u8], bits: u8) -> [u8; 256] {
        let mut at = 0;
        while at < octets.len() {
            table[octets[at] as usize] |= bits;
            at += 1;
        }
        table
    }
    let both = Grammar::Address as u8 | Grammar::Trace as u8;
    let table = set([0; 256], b" \t\r\n()<>;,", both);
    set(table, b"[]:@\"", Grammar::Address as u8)
}

/// Where the comment that *rest* continues ends; comments nest (RFC 5322 3.2.2), counted, not recursed into.
fn comment_end(rest: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 1_usize);
    loop {
        at += memchr3(b'(', b')', b'\\', rest.get(at..)?)?;
        match rest[at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
        at += 1;
    }
}

/// Where the quoted string that *rest* continues ends (RFC 5322 3.2.4).
fn quote_end(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn literal_end(rest: &[u8]) -> Option<usize> {
    memchr(b']', rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Token::{Comment, Literal, Quoted, Special, Word};

    fn tokens(raw: &[u8], grammar: Grammar) -> Vec<Token<'_>> {
        Lexer::new(raw, grammar).collect()
    }

    #[test]
    fn reads_the_tokens_of_an_address() {
        assert_eq!(
            tokens(b"\"A \\\" B\" (c (d) \\) e)\r\n <a.b@[1.2]>", Grammar::Address),
            [
                Quoted(b"A \\\" B"),
                Comment(b"c (d) \\) e"),
                Special(b'<'),
                Word(b"a.b"),
                Special(b'@'),
                Literal(b"[1.2]"),
                Special(b'>'),
            ]
        );
    }

    #[test]
    fn words_of_a_trace_line_hold_colons_and_brackets() {
        assert_eq!(
            tokens(b"from [IPv6:::1] (x); \"d\"", Grammar::Trace),
            [
                Word(b"from"),
                Word(b"[IPv6:::1]"),
                Comment(b"x"),
                Special(b';'),
                Word(b"\"d\"")
            ]
        );
    }

    #[test]
    fn what_is_never_closed_is_a_special() {
        for (raw, expected) in [
            (
                &b"(a (b) c"[..],
                vec![
                    Special(b'('),
                    Word(b"a"),
                    Special(b'('),
                    Word(b"b"),
                    Special(b')'),
                    Word(b"c"),
                ],
            ),
            (b"\"a\\\"", vec![Special(b'"'), Word(b"a\\"), Special(b'"')]),
            (b"[a", vec![Special(b'['), Word(b"a")]),
            (b"(\\", vec![Special(b'('), Word(b"\\")]),
        ] {
            let mut lexer = Lexer::new(raw, Grammar::Address);
            assert_eq!(lexer.by_ref().collect::<Vec<_>>(), expected, "{raw:?}");
            assert!(lexer.found_unclosed());
        }
    }

    #[test]
    fn blanks_and_comments_before_a_token_are_told() {
        let mut lexer = Lexer::new(b"a(x)b c.d", Grammar::Address);
        let mut told = Vec::new();
        while let Some(token) = lexer.next_but_comments() {
            told.push((token, lexer.blank_before));
        }
        assert_eq!(told, [(Word(b"a"), false), (Word(b"b"), true), (Word(b"c.d"), true)]);
    }
}
