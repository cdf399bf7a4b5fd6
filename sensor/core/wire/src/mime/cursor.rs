//! The grammar of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2183 2), and the forms they really come in.
//!
//! Beyond the grammar these are read: names with blanks outside quotes (`filename=My file.pdf`), parameters without a
//! semicolon between them, stray semicolons, quoted strings without an end, and `\` before anything but `"` and `\` as
//! itself (a Windows path). All but stray semicolons and semicolons missing after a whole value make the field malformed.

use std::borrow::Cow;

/// A place in the raw value of a field, folds included.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(raw: &'a [u8]) -> Self {
        Self { rest: raw }
    }

    pub(super) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes *octet* if it stands here, blanks and comments before it included.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        self.skip_blanks_and_comments();
        let stands_here = self.rest.first() == Some(&octet);
        if stands_here {
            self.rest = &self.rest[1..];
        }
        stands_here
    }

    /// Takes a word: anything up to a blank or one of `/;=(",`. It may be empty.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip_blanks_and_comments();
        self.take_while(|o| !is_blank(o) && !matches!(o, b'/' | b';' | b'=' | b'(' | b'"' | b','))
    }

    /// Blanks, fold line ends and other controls, and comments (RFC 5322 3.2.2). An open comment goes to the end.
    fn skip_blanks_and_comments(&mut self) {
        loop {
            self.take_while(is_blank);
            if self.rest.first() != Some(&b'(') {
                return;
            }
            self.skip_comment();
        }
    }

    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        let mut at = 0;
        while let Some(&octet) = self.rest.get(at) {
            match octet {
                b'\\' => at += 1,
                b'(' => depth += 1,
                b')' => depth -= 1, // the first octet is a `(`, and the loop ends at depth 0
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
    }

    /// Semicolons, and commas that some write in their place.
    pub(super) fn skip_separators(&mut self) {
        while self.take(b';') || self.take(b',') {}
    }

    /// Takes one `name=value`. None if there is no such thing here; then something was skipped all the same.
    pub(super) fn parameter(&mut self, is_malformed: &mut bool) -> Option<(&'a [u8], Cow<'a, [u8]>)> {
        let name = self.word();
        if !self.take(b'=') {
            if name.is_empty() {
                self.rest = self.rest.get(1..).unwrap_or_default();
            }
            return None;
        }
        self.skip_blanks_and_comments();
        let value = match self.rest.split_first() {
            Some((b'"', inside)) => {
                self.rest = inside;
                self.quoted(is_malformed)
            }
            _ => self.unquoted(is_malformed),
        };
        Some((name, value))
    }

    /// Takes the rest of a quoted string, its closing quote, and what wrongly stands between that and the next semicolon.
    fn quoted(&mut self, is_malformed: &mut bool) -> Cow<'a, [u8]> {
        let inside = self.rest;
        let mut at = 0;
        let mut has_escapes = false;
        let closed = loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', &inside[at..]) else {
                break false;
            };
            at += found;
            if inside[at] == b'"' {
                break true;
            }
            has_escapes = true;
            at = (at + 2).min(inside.len());
        };
        let end = if closed { at } else { inside.len() };
        self.rest = inside.get(end + 1..).unwrap_or_default();
        *is_malformed |= !closed;
        if !self
            .rest
            .first()
            .is_none_or(|&o| is_blank(o) || matches!(o, b';' | b'(' | b','))
        {
            *is_malformed = true;
            self.take_while(|o| o != b';');
        }
        let value = unfolded(&inside[..end]);
        if has_escapes {
            Cow::Owned(unescaped(&value))
        } else {
            value
        }
    }

    /// Takes a value without quotes: a word, or several if the blanks between them can't be the end of the parameter.
    fn unquoted(&mut self, is_malformed: &mut bool) -> Cow<'a, [u8]> {
        let start = self.rest;
        let mut length = 0;
        loop {
            length += self.take_while(|o| !is_blank(o) && o != b';').len();
            let blanks = self.take_while(is_blank).len();
            if !self.at_word_of_value() {
                *is_malformed |= blanks > 0 && !matches!(self.rest.first(), None | Some(b';' | b'('));
                return unfolded(&start[..length]);
            }
            *is_malformed = true;
            length += blanks;
        }
    }

    /// True if what stands here continues a value: not the end, a comment, or the `name=` of a next parameter.
    fn at_word_of_value(&self) -> bool {
        let word = self
            .rest
            .iter()
            .position(|&o| is_blank(o) || o == b';')
            .map_or(self.rest, |end| &self.rest[..end]);
        !matches!(word.first(), None | Some(b'(')) && memchr::memchr(b'=', word).is_none()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|&o| !wanted(o)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

const fn is_blank(octet: u8) -> bool {
    octet <= b' '
}

/// Without the line ends of folds; their blanks stay (RFC 5322 2.2.3).
fn unfolded(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.iter().copied().filter(|o| !matches!(o, b'\r' | b'\n')).collect())
}

fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = match (octet, tail) {
            (b'\\', [escaped @ (b'"' | b'\\'), tail @ ..]) => {
                plain.push(*escaped);
                tail
            }
            _ => {
                plain.push(octet);
                tail
            }
        };
    }
    plain
}
