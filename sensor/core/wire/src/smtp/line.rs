//! Lines out of a stream, whatever way it is cut, with a bound on what is kept of one.

use crate::limits::Limits;

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// CR LF, the only one that RFC 5321 2.3.8 allows.
    CrLf,
    /// LF alone.
    Lf,
}

/// One line without its end, and how much of it was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The octets of the line, at most the limit.
    pub octets: &'a [u8],
    /// How it ended.
    pub end: LineEnd,
    /// Octets beyond the limit, skipped.
    pub dropped: u64,
}

/// Collects a line that is split between chunks. Holds at most one line of [`Limits::line_octets`].
#[derive(Debug, Default)]
pub struct LineReader {
    partial: Vec<u8>,
    dropped: u64,
    /// The last octet seen, kept or not.
    last: u8,
    given: bool,
}

impl LineReader {
    /// Takes the next line out of *chunk*: the line and the rest of the chunk; none if the line does not end in it.
    ///
    /// A line that lies whole in the chunk is not copied.
    pub fn next<'a>(&'a mut self, chunk: &'a [u8], limits: &Limits) -> Option<(Line<'a>, &'a [u8])> {
        if self.given {
            self.clear();
        }
        let Some(feed) = memchr::memchr(b'\n', chunk) else {
            self.keep(chunk, limits.line_octets);
            return None;
        };
        let rest = &chunk[feed + 1..];
        if self.partial.is_empty() && self.dropped == 0 && feed <= limits.line_octets {
            return Some((strip(&chunk[..=feed], 0), rest));
        }
        self.keep(&chunk[..feed], limits.line_octets);
        self.given = true;
        let end = if self.last == b'\r' { LineEnd::CrLf } else { LineEnd::Lf };
        let octets = match self.dropped {
            0 => self.partial.strip_suffix(b"\r").unwrap_or(&self.partial),
            _ => &self.partial,
        };
        Some((
            Line {
                octets,
                end,
                dropped: self.dropped,
            },
            rest,
        ))
    }

    /// What was collected of a line that has not ended.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        if self.given {
            &[]
        } else {
            &self.partial
        }
    }

    /// Octets it holds.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.partial.len()
    }

    /// Forgets a line that has not ended, and gives back the memory of a long one.
    pub fn clear(&mut self) {
        const KEPT_CAPACITY: usize = 256;
        self.partial.clear();
        if self.partial.capacity() > KEPT_CAPACITY {
            self.partial = Vec::new();
        }
        self.dropped = 0;
        self.last = 0;
        self.given = false;
    }

    fn keep(&mut self, octets: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.partial.len()).min(octets.len());
        self.partial.extend_from_slice(&octets[..room]);
        self.dropped += (octets.len() - room) as u64;
        self.last = octets.last().copied().unwrap_or(self.last);
    }
}

fn strip(line: &[u8], dropped: u64) -> Line<'_> {
    match line {
        [octets @ .., b'\r', b'\n'] => Line {
            octets,
            end: LineEnd::CrLf,
            dropped,
        },
        [octets @ .., b'\n'] => Line {
            octets,
            end: LineEnd::Lf,
            dropped,
        },
        octets => Line {
            octets,
            end: LineEnd::Lf,
            dropped,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]], limits: &Limits) -> Vec<(Vec<u8>, LineEnd, u64)> {
        let mut reader = LineReader::default();
        let mut out = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            while !rest.is_empty() {
                let Some((line, after)) = reader.next(rest, limits) else {
                    break;
                };
                out.push((line.octets.to_vec(), line.end, line.dropped));
                rest = &rest[rest.len() - after.len()..];
            }
        }
        out
    }

    #[test]
    fn lines_are_the_same_whole_and_byte_by_byte() {
        let limits = Limits::default();
        let input = b"EHLO a\r\n\r\nNOOP\nQUIT\r\ntail";
        let expected = vec![
            (b"EHLO a".to_vec(), LineEnd::CrLf, 0),
            (b"".to_vec(), LineEnd::CrLf, 0),
            (b"NOOP".to_vec(), LineEnd::Lf, 0),
            (b"QUIT".to_vec(), LineEnd::CrLf, 0),
        ];
        assert_eq!(lines(&[input], &limits), expected);
        let single: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(lines(&single, &limits), expected);
    }

    #[test]
    fn a_line_beyond_the_limit_keeps_its_start_and_counts_the_rest() {
        let limits = Limits {
            line_octets: 4,
            ..Limits::default()
        };
        for cut in 1..12 {
            let input = b"abcdefgh\r\nxy\r\n";
            let got = lines(&[&input[..cut], &input[cut..]], &limits);
            assert_eq!(got.len(), 2, "cut at {cut}");
            assert_eq!(got[0].0, b"abcd");
            assert_eq!(got[0].1, LineEnd::CrLf);
            assert_eq!(got[1], (b"xy".to_vec(), LineEnd::CrLf, 0));
        }
    }
}
