//! The header of a part: collected line by line, then asked for its three fields.

use super::delimiter::{Delimiter, Open};

/// The raw values of the fields that say what a part is, folds included; none where absent, the first where repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PartFields<'a> {
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) transfer_encoding: Option<&'a [u8]>,
    pub(super) disposition: Option<&'a [u8]>,
}

impl<'a> PartFields<'a> {
    /// Finds the fields in *section*, lines ended by LF or CRLF.
    pub(super) fn find(section: &'a [u8]) -> Self {
        let mut fields = Self::default();
        let mut rest = section;
        while !rest.is_empty() {
            let (field, after) = rest.split_at(field_end(rest));
            rest = after;
            if let Some((name, value)) = split_field(field) {
                fields.keep(name, value);
            }
        }
        fields
    }

    fn keep(&mut self, name: &[u8], value: &'a [u8]) {
        let slot = if name.eq_ignore_ascii_case(b"content-type") {
            &mut self.content_type
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            &mut self.transfer_encoding
        } else if name.eq_ignore_ascii_case(b"content-disposition") {
            &mut self.disposition
        } else {
            return;
        };
        slot.get_or_insert(value);
    }
}

/// Where the field at the start of *lines* ends: behind the first line end that no blank follows.
fn field_end(lines: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', lines)
        .map(|line_end| line_end + 1)
        .find(|&next| !matches!(lines.get(next), Some(b' ' | b'\t')))
        .unwrap_or(lines.len())
}

/// Splits `name: value` (RFC 5322 2.2), blanks before the colon allowed (4.5). None if it is no field.
fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then(|| (name, &line[colon + 1..]))
}

/// What the line that just ended was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A field or a part of one, or a line skipped: the header goes on.
    Header,
    /// The empty line: the body follows.
    Empty,
    /// A delimiter: the part ends without a body.
    Delimiter(Delimiter),
    /// Neither field nor continuation: the empty line is missing and this is the body's first line, which many read so.
    Body,
}

/// Collects the header of one part.
#[derive(Clone, Default)]
pub(super) struct Collector {
    /// Whole lines, then the line that has not ended.
    section: Vec<u8>,
    /// Where that line starts; `<= section.len()`.
    line_start: usize,
    /// True once octets were left out.
    is_cut: bool,
}

impl Collector {
    /// Octets it holds.
    pub(super) fn held_octets(&self) -> usize {
        self.section.len()
    }

    /// Starts a new part.
    pub(super) fn clear(&mut self) {
        self.section.clear();
        self.line_start = 0;
        self.is_cut = false;
    }

    /// Adds *octets* of the current line, no LF among them. Beyond *max* octets in all only as much is kept of the line as
    /// decides what it is.
    pub(super) fn push(&mut self, octets: &[u8], open: &Open, max: usize) {
        let end = max.max(self.line_start + open.deciding_octets());
        let taken = octets.len().min(end.saturating_sub(self.section.len()));
        self.section.extend_from_slice(&octets[..taken]);
        self.is_cut |= taken < octets.len();
    }

    /// What the current line is, now that its LF (or the end of the content) has come.
    pub(super) fn line(&self, open: &Open) -> Line {
        let line = self.current_line();
        if line.is_empty() || line == b"\r" {
            return Line::Empty;
        }
        if let Some(delimiter) = open.read(&line[..line.len().min(open.deciding_octets())]) {
            return Line::Delimiter(delimiter);
        }
        let continues = matches!(line[0], b' ' | b'\t') && self.line_start > 0;
        if continues || split_field(line).is_some() {
            Line::Header
        } else {
            Line::Body
        }
    }

    /// The line that has not ended, as far as it was kept.
    pub(super) fn current_line(&self) -> &[u8] {
        &self.section[self.line_start..]
    }

    /// Keeps the current line as part of the header, unless the header is full.
    pub(super) fn keep_line(&mut self, max: usize) {
        self.section.push(b'\n');
        self.is_cut |= self.section.len() > max;
        self.section.truncate(max);
        self.line_start = self.section.len();
    }

    /// Drops the current line: it is no header, or octets of it were lost.
    pub(super) fn drop_line(&mut self) {
        self.section.truncate(self.line_start);
    }

    /// The lines kept.
    pub(super) fn section(&self) -> &[u8] {
        &self.section[..self.line_start]
    }

    /// True if octets were left out for lack of room.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_order_case_and_folding() {
        let section = b"X-Other: a\r\nCONTENT-TYPE : text/html;\r\n charset=x\r\nno field\r\n: no name\nbad name: x\n\
            content-disposition:inline\ncontent-type: second\nContent-Transfer-Encoding: base64";
        assert_eq!(
            PartFields::find(section),
            PartFields {
                content_type: Some(b" text/html;\r\n charset=x\r\n"),
                transfer_encoding: Some(b" base64"),
                disposition: Some(b"inline\n"),
            }
        );
        assert_eq!(PartFields::find(b""), PartFields::default());
    }
}
