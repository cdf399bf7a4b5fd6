//! Delimiter lines (RFC 2046 5.1.1) and the multiparts that are open.

/// Blanks looked at behind a boundary; transports pad lines (RFC 2046 5.1.1), none so far as this.
const PADDING_OCTETS: usize = 32;

/// What the parts of a multipart are by default, and what their neighbours mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its parts say the same in different ways (RFC 2046 5.1.4).
    Alternative,
    /// Its parts are messages unless they say otherwise (RFC 2046 5.1.5).
    Digest,
    Other,
}

impl Kind {
    /// The kind that *subtype*, in lower case, names.
    pub(super) fn of(subtype: &str) -> Self {
        match subtype {
            "alternative" => Self::Alternative,
            "digest" => Self::Digest,
            _ => Self::Other,
        }
    }
}

/// A delimiter line: of which open multipart (0 the outermost), and whether it closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    pub(super) depth: usize,
    pub(super) closing: bool,
}

/// The open multiparts, outermost first.
#[derive(Clone, Default)]
pub(super) struct Open {
    multiparts: Vec<(Vec<u8>, Kind)>,
    longest_boundary: usize,
}

impl Open {
    pub(super) fn push(&mut self, boundary: &[u8], kind: Kind) {
        self.longest_boundary = self.longest_boundary.max(boundary.len());
        self.multiparts.push((boundary.to_vec(), kind));
    }

    /// Closes all but the *depth* outermost.
    pub(super) fn truncate(&mut self, depth: usize) {
        self.multiparts.truncate(depth);
    }

    pub(super) fn depth(&self) -> usize {
        self.multiparts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.multiparts.is_empty()
    }

    /// The kind of the innermost.
    pub(super) fn kind(&self) -> Kind {
        self.multiparts.last().map_or(Kind::Other, |(_, kind)| *kind)
    }

    /// True if a boundary begins with *octet*, or if that can't be told since the octet has not come yet.
    pub(super) fn may_begin_with(&self, octet: Option<&u8>) -> bool {
        let Some(octet) = octet else { return true };
        let begins = |(boundary, _): &(Vec<u8>, Kind)| boundary.first() == Some(octet);
        self.multiparts.iter().any(begins)
    }

    /// Octets of a line that decide whether it is a delimiter, whatever follows them.
    pub(super) fn deciding_octets(&self) -> usize {
        b"----".len() + self.longest_boundary + PADDING_OCTETS
    }

    /// Reads *line*, without its LF and cut at [`Self::deciding_octets`], as a delimiter.
    ///
    /// RFC 2046 asks only that the line begins with the boundary. Taken so, `a` would claim the lines of `ab`; so the whole
    /// line must match but for blanks at its end, as mail programs do it. Of equal boundaries the innermost is meant.
    pub(super) fn read(&self, line: &[u8]) -> Option<Delimiter> {
        let text = line.strip_prefix(b"--")?;
        let text = &text[..text.iter().rposition(|o| !b" \t\r".contains(o))? + 1];
        let of = |name: &[u8]| self.multiparts.iter().rposition(|(boundary, _)| boundary == name);
        let opening = of(text).map(|depth| Delimiter { depth, closing: false });
        opening.or_else(|| {
            let depth = of(text.strip_suffix(b"--")?)?;
            Some(Delimiter { depth, closing: true })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_delimiter_only_if_all_of_it_matches() {
        let mut open = Open::default();
        for boundary in [&b"ab"[..], b"a", b"with blank", b"a--", b"same", b"same"] {
            open.push(boundary, Kind::Other);
        }
        type Case = (&'static [u8], Option<(usize, bool)>);
        let cases: &[Case] = &[
            (b"--ab", Some((0, false))),
            (b"--ab--", Some((0, true))),
            (b"--a", Some((1, false))),
            (b"--a \t \r", Some((1, false))),
            (b"--with blank", Some((2, false))),
            (b"--with blank--  ", Some((2, true))),
            (b"--a--", Some((3, false))),
            (b"--a----", Some((3, true))),
            (b"--same", Some((5, false))),
            (b"--abc", None),
            (b"--ab-", None),
            (b"--ab x", None),
            (b"--AB", None),
            (b" --ab", None),
            (b"-- ", None),
            (b"--", None),
            (b"----", None),
            (b"", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|(depth, closing)| Delimiter { depth, closing });
            assert_eq!(open.read(line), expected, "{}", line.escape_ascii());
        }
    }
}
