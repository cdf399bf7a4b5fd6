//! The header section split into fields, each with its raw value: names checked, folds left in place.
//!
//! A field begins at a line of the form `name:` and goes on through every line that begins with WSP (RFC 5322 2.2). Blanks
//! before the colon are obsolete and read (4.5). A line that is neither is skipped, with the lines that continue it, and
//! noted: mailers differ in whether such a line ends the section, and reading on finds what any of them may show. The
//! `From ` line that mbox files carry is such a line.

use memchr::{memchr_iter, Memchr};

use crate::anomaly::{Anomaly, AnomalySet};

/// One header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written, without the colon.
    pub name: &'a [u8],
    /// What follows the colon, folds and blanks included, without the last line end.
    pub value: &'a [u8],
}

/// The fields of a header section, topmost first. Ends at an empty line, if there is one.
#[derive(Debug)]
pub struct Fields<'a> {
    section: &'a [u8],
    line_ends: Memchr<'a>,
    /// Where the next line begins.
    next: usize,
    /// Lines so far that end in CRLF.
    crlf_lines: usize,
    field_octets: usize,
    anomalies: AnomalySet,
}

impl<'a> Fields<'a> {
    /// Reads *section*. A field is cut at *field_octets*, which is noted.
    #[must_use]
    pub fn new(section: &'a [u8], field_octets: usize) -> Self {
        Self {
            section,
            line_ends: memchr_iter(b'\n', section),
            next: 0,
            crlf_lines: 0,
            field_octets,
            anomalies: AnomalySet::default(),
        }
    }

    /// What was odd in the lines read so far.
    #[must_use]
    pub fn anomalies(&self) -> AnomalySet {
        let mut anomalies = self.anomalies;
        let read = &self.section[..self.next];
        if memchr_iter(b'\r', read).count() != self.crlf_lines {
            anomalies.insert(Anomaly::HeaderBareCr);
        }
        anomalies
    }

    /// The next line with all lines that continue it, without the last line end.
    fn next_folded_line(&mut self) -> Option<&'a [u8]> {
        let rest = self.section.get(self.next..).filter(|rest| !rest.is_empty())?;
        let mut length = rest.len();
        for line_end in self.line_ends.by_ref() {
            self.crlf_lines += usize::from(line_end > 0 && self.section[line_end - 1] == b'\r');
            if !matches!(self.section.get(line_end + 1), Some(b' ' | b'\t')) {
                length = line_end + 1 - self.next;
                break;
            }
        }
        self.next += length;
        Some(without_line_end(&rest[..length]))
    }

    fn cut(&mut self, field: &'a [u8]) -> &'a [u8] {
        if field.len() <= self.field_octets {
            return field;
        }
        self.anomalies.insert(Anomaly::HeaderFieldTooLong);
        &field[..self.field_octets]
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let line = self.next_folded_line().filter(|line| !line.is_empty())?;
            let line = self.cut(line);
            if let Some(field) = split(line, &mut self.anomalies) {
                return Some(field);
            }
            self.anomalies.insert(Anomaly::HeaderMalformedLine);
        }
    }
}

/// Name and value of a folded line; none if it does not begin with a name and a colon.
fn split<'a>(line: &'a [u8], anomalies: &mut AnomalySet) -> Option<Field<'a>> {
    let name_octets = line
        .iter()
        .position(|&octet| octet == b':' || !octet.is_ascii_graphic())?;
    let (name, rest) = line.split_at(name_octets);
    let blanks = rest.iter().take_while(|&&octet| matches!(octet, b' ' | b'\t')).count();
    if name.is_empty() || rest.get(blanks) != Some(&b':') {
        return None;
    }
    if blanks > 0 {
        anomalies.insert(Anomaly::HeaderObsoleteSyntax);
    }
    Some(Field {
        name,
        value: &rest[blanks + 1..],
    })
}

/// *line* without its LF and the CRs before it.
fn without_line_end(line: &[u8]) -> &[u8] {
    let Some(line) = line.strip_suffix(b"\n") else {
        return line;
    };
    let crs = line.iter().rev().take_while(|&&octet| octet == b'\r').count();
    &line[..line.len() - crs]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(section: &[u8]) -> (Vec<(String, String)>, AnomalySet) {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let mut fields = Fields::new(section, 64);
        let list = fields
            .by_ref()
            .map(|field| (text(field.name), text(field.value)))
            .collect();
        (list, fields.anomalies())
    }

    #[test]
    fn splits_fields_and_notes_what_is_odd() {
        type Row<'a> = (&'a [u8], &'a [(&'a str, &'a str)], &'a [Anomaly]);
        let table: &[Row] = &[
            (b"", &[], &[]),
            (b"A: 1\r\nB: 2\r\n", &[("A", " 1"), ("B", " 2")], &[]),
            (b"A: 1\nB:2", &[("A", " 1"), ("B", "2")], &[]),
            (b"A: 1\r\n 2\r\n\t3\r\n", &[("A", " 1\r\n 2\r\n\t3")], &[]),
            (b"A: 1\r\n \r\nB: 2\r\n", &[("A", " 1\r\n "), ("B", " 2")], &[]),
            (b"A:\r\nB:\r\n", &[("A", ""), ("B", "")], &[]),
            (b"A \t: 1\r\n", &[("A", " 1")], &[Anomaly::HeaderObsoleteSyntax]),
            (
                b"From ann Sun 01:04\r\nA: 1\r\n",
                &[("A", " 1")],
                &[Anomaly::HeaderMalformedLine],
            ),
            (
                b"prose\r\n more: prose\r\nA: 1\r\n",
                &[("A", " 1")],
                &[Anomaly::HeaderMalformedLine],
            ),
            (
                b" leads: 1\r\nA: 1\r\n",
                &[("A", " 1")],
                &[Anomaly::HeaderMalformedLine],
            ),
            (b": 1\r\nA: 1\r\n", &[("A", " 1")], &[Anomaly::HeaderMalformedLine]),
            (
                b"\xc3\xa9: 1\r\nA: 1\r\n",
                &[("A", " 1")],
                &[Anomaly::HeaderMalformedLine],
            ),
            (b"A\0: 1\r\nA: 1\r\n", &[("A", " 1")], &[Anomaly::HeaderMalformedLine]),
            (
                b"A: 1\r\r\nB: 2\rx\r\n",
                &[("A", " 1"), ("B", " 2\rx")],
                &[Anomaly::HeaderBareCr],
            ),
            (b"A: 1\r\n\r\nB: body\r\n", &[("A", " 1")], &[]),
        ];
        for (section, fields, anomalies) in table {
            let (got, odd) = read(section);
            let expected: Vec<(String, String)> = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(got, expected, "{section:?}");
            assert_eq!(odd.iter().collect::<Vec<_>>(), *anomalies, "{section:?}");
        }
    }

    #[test]
    fn a_long_field_is_cut_and_the_next_one_read() {
        let section = [b"A: ".as_slice(), &[b'x'; 100], b"\r\nB: 2\r\n"].concat();
        let (fields, odd) = read(&section);
        assert_eq!(fields[0].1.len(), 62);
        assert_eq!(fields[1], ("B".into(), " 2".into()));
        assert!(odd.contains(Anomaly::HeaderFieldTooLong));
    }

    proptest! {
        /// Against a plain reader: whole lines, joined while the next one begins with WSP.
        #[test]
        fn agrees_with_a_plain_reader(section in "[ab: \t\r\n]{0,60}") {
            let mut lines: Vec<String> = Vec::new();
            for line in section.split_inclusive('\n') {
                match lines.last_mut() {
                    Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
                    _ => lines.push(line.to_owned()),
                }
            }
            let mut expected = Vec::new();
            for line in lines {
                let line = line.strip_suffix('\n').map_or(line.as_str(), |line| line.trim_end_matches('\r'));
                if line.is_empty() {
                    break;
                }
                let Some((name, value)) = line.split_once(':') else { continue };
                let name = name.trim_end_matches([' ', '\t']);
                if !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic()) {
                    expected.push((name.to_owned(), value.to_owned()));
                }
            }
            prop_assert_eq!(read(section.as_bytes()).0, expected);
        }
    }
}
