//! The header section out of a stream of content: found, collected, bounded.
//!
//! The section ends at the first empty line (RFC 5322 2.1). On the wire that is CRLF CRLF; since mail with bare LF and with
//! doubled CR is about, a line that holds nothing but CRs before its LF counts as empty. Content that begins with an empty
//! line has an empty section.
//!
//! The octets of the section are collected, and kept for a second look until [`Collector::reset`]; those beyond
//! [`Limits::header_octets`] are counted and dropped, and the section is cut back to its last whole line, so that no field
//! shows half a value. However the content is cut into chunks, the section is the same.

use memchr::memmem;

use crate::anomaly::{Anomaly, AnomalySet};
use crate::limits::Limits;

/// What a chunk did to the section.
#[derive(Debug, PartialEq, Eq)]
pub enum Collected<'a> {
    /// The section goes on.
    NeedMore,
    /// The section is whole.
    Complete {
        /// Its lines, without the empty line that ends it.
        section: &'a [u8],
        /// The rest of the chunk, after the empty line.
        body: &'a [u8],
    },
}

/// Collects one header section. One per mail; [`Collector::reset`] makes it ready for the next.
#[derive(Clone, Debug)]
pub struct Collector {
    kept: Vec<u8>,
    octets_max: usize,
    octets_dropped: u64,
    /// True if only CRs, if anything, stand between the last LF and the end of what was fed.
    at_line_start: bool,
    /// Those CRs: part of the empty line if LF comes next, of the section otherwise.
    held_crs: usize,
    complete: bool,
}

impl Collector {
    /// A collector at the start of a mail's content.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            kept: Vec::new(),
            octets_max: limits.header_octets,
            octets_dropped: 0,
            at_line_start: true,
            held_crs: 0,
            complete: false,
        }
    }

    /// Takes the next octets of the content. Once the section is complete, everything is body and the section empty.
    pub fn feed<'a>(&'a mut self, chunk: &'a [u8]) -> Collected<'a> {
        if self.complete {
            return Collected::Complete {
                section: &[],
                body: chunk,
            };
        }
        if self.at_line_start {
            if let Some(body) = after_empty_line(chunk) {
                return self.end(chunk, 0, body);
            }
        }
        match first_empty_line(chunk) {
            Some((end, body)) => self.end(chunk, end, body),
            None => self.go_on(chunk),
        }
    }

    /// The section as far as it came, where the content ends, or octets of it are lost, before its empty line.
    ///
    /// Note [`Anomaly::HeaderEndMissing`] if the content ended here.
    pub fn finish(&mut self) -> &[u8] {
        self.complete = true;
        self.whole_lines()
    }

    /// The section as far as it was collected.
    #[must_use]
    pub fn section(&self) -> &[u8] {
        self.whole_lines()
    }

    /// True once the section has been handed out.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Octets it holds.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.kept.len()
    }

    /// Octets of this section beyond the bound, which were dropped.
    #[must_use]
    pub const fn octets_dropped(&self) -> u64 {
        self.octets_dropped
    }

    /// What was odd: [`Anomaly::HeaderTooLarge`] once the bound was reached.
    #[must_use]
    pub fn anomalies(&self) -> AnomalySet {
        let mut anomalies = AnomalySet::default();
        if self.octets_dropped > 0 {
            anomalies.insert(Anomaly::HeaderTooLarge);
        }
        anomalies
    }

    /// Makes it ready for the next mail. Frees what it held beyond the size of ordinary sections.
    pub fn reset(&mut self) {
        const ORDINARY_OCTETS: usize = 8 << 10;
        self.kept.clear();
        self.kept.shrink_to(ORDINARY_OCTETS);
        self.octets_dropped = 0;
        self.at_line_start = true;
        self.held_crs = 0;
        self.complete = false;
    }

    /// The section ends at *end* of *chunk*, the body begins at *body*.
    fn end<'a>(&'a mut self, chunk: &'a [u8], end: usize, body: usize) -> Collected<'a> {
        self.complete = true;
        let (head, body) = (&chunk[..end], &chunk[body..]);
        if !head.is_empty() {
            self.keep_held_crs();
            self.keep(head);
        }
        Collected::Complete {
            section: self.whole_lines(),
            body,
        }
    }

    /// All of *chunk* belongs to the section, but perhaps the CRs at its end.
    fn go_on(&mut self, chunk: &[u8]) -> Collected<'static> {
        let crs = chunk.iter().rev().take_while(|&&octet| octet == b'\r').count();
        let (head, crs_at_end) = chunk.split_at(chunk.len() - crs);
        if let Some(&last) = head.last() {
            self.keep_held_crs();
            self.keep(head);
            self.at_line_start = last == b'\n';
        }
        if self.at_line_start {
            self.held_crs += crs;
        } else {
            self.keep(crs_at_end);
        }
        Collected::NeedMore
    }

    fn keep_held_crs(&mut self) {
        for _ in 0..std::mem::take(&mut self.held_crs) {
            self.keep(b"\r");
        }
    }

    /// Collects *octets* as far as the bound allows.
    fn keep(&mut self, octets: &[u8]) {
        let room = self.octets_max.saturating_sub(self.kept.len());
        let kept = octets.len().min(room);
        self.kept.extend_from_slice(&octets[..kept]);
        self.octets_dropped = self.octets_dropped.saturating_add((octets.len() - kept) as u64);
    }

    /// What was collected, cut back to whole lines if octets were dropped.
    fn whole_lines(&self) -> &[u8] {
        if self.octets_dropped == 0 {
            return &self.kept;
        }
        let end = memchr::memrchr(b'\n', &self.kept).map_or(0, |line_end| line_end + 1);
        &self.kept[..end]
    }
}

/// The first empty line of *chunk* that follows a line end in it: (where it begins, where the next line begins).
///
/// In CRLF text LF CR occurs at the empty line alone, in LF text LF LF does, so two searches find it without a step per line.
fn first_empty_line(chunk: &[u8]) -> Option<(usize, usize)> {
    let crlf = memmem::find_iter(chunk, b"\n\r").find_map(|line_end| {
        let body = after_empty_line(&chunk[line_end + 1..])?;
        Some((line_end + 1, line_end + 1 + body))
    });
    let before = crlf.map_or(chunk, |(end, _)| &chunk[..end]);
    let bare = memmem::find(before, b"\n\n").map(|line_end| (line_end + 1, line_end + 2));
    bare.or(crlf)
}

/// The length of the empty line that *rest* begins with: any CRs and LF.
fn after_empty_line(rest: &[u8]) -> Option<usize> {
    let crs = rest.iter().take_while(|&&octet| octet == b'\r').count();
    (rest.get(crs) == Some(&b'\n')).then_some(crs + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds *content* in chunks of the sizes that *cuts* names in turn.
    fn collect(content: &[u8], cuts: &[usize], octets_max: usize) -> (Option<Vec<u8>>, Vec<u8>, u64) {
        let limits = Limits {
            header_octets: octets_max,
            ..Limits::default()
        };
        let mut collector = Collector::new(&limits);
        let (mut header, mut body) = (None, Vec::new());
        let (mut rest, mut cuts) = (content, cuts.iter().cycle());
        while !rest.is_empty() {
            let size = (*cuts.next().unwrap_or(&1)).clamp(1, rest.len());
            let was_complete = collector.is_complete();
            if let Collected::Complete { section, body: more } = collector.feed(&rest[..size]) {
                if !was_complete {
                    header = Some(section.to_vec());
                }
                body.extend_from_slice(more);
            }
            rest = &rest[size..];
        }
        (header, body, collector.octets_dropped())
    }

    /// Whole, octet by octet, and with a tail.
    fn check(content: &[u8], section: Option<&[u8]>, body: &[u8]) {
        let expected = (section.map(<[u8]>::to_vec), body.to_vec(), 0);
        assert_eq!(collect(content, &[usize::MAX], 1000), expected, "{content:?}");
        assert_eq!(collect(content, &[1], 1000), expected, "{content:?} by octets");
        if section.is_some() {
            let with_tail = collect(&[content, b"\r\ntail\n\n"].concat(), &[3], 1000);
            assert_eq!(with_tail.0, expected.0, "{content:?} with a tail");
            assert_eq!(with_tail.1, [body, b"\r\ntail\n\n"].concat());
        }
    }

    #[test]
    fn finds_the_empty_line_however_it_ends() {
        check(b"A: 1\r\n\r\nbody", Some(b"A: 1\r\n"), b"body");
        check(b"A: 1\n\nbody", Some(b"A: 1\n"), b"body");
        check(b"A: 1\r\n\nbody", Some(b"A: 1\r\n"), b"body");
        check(b"A: 1\n\r\nbody", Some(b"A: 1\n"), b"body");
        check(b"A: 1\r\r\n\r\r\nbody", Some(b"A: 1\r\r\n"), b"body");
        check(b"A: 1\n\nB: 2\r\n\r\nbody", Some(b"A: 1\n"), b"B: 2\r\n\r\nbody");
        check(b"A: 1\r\n\rB: 2\r\n\r\n", Some(b"A: 1\r\n\rB: 2\r\n"), b"");
        check(b"\r\nbody", Some(b""), b"body");
        check(b"\nbody", Some(b""), b"body");
        check(b"\r\r\nbody", Some(b""), b"body");
        check(b"A: 1\r\n \r\n\r\n", Some(b"A: 1\r\n \r\n"), b"");
        check(b"A: 1\r\nB: 2", None, b"");
        check(b"", None, b"");
    }

    #[test]
    fn a_section_without_its_end_is_what_came() {
        let mut collector = Collector::new(&Limits::default());
        assert_eq!(collector.feed(b"A: 1\r\nB: 2\r\n\r"), Collected::NeedMore);
        assert_eq!(collector.finish(), b"A: 1\r\nB: 2\r\n");
        collector.reset();
        assert_eq!(collector.feed(b"A: 1\r\nB: 2\r"), Collected::NeedMore);
        assert_eq!(collector.finish(), b"A: 1\r\nB: 2\r");
    }

    #[test]
    fn beyond_the_bound_octets_are_dropped_and_the_end_is_still_found() {
        let content = b"A: 1\r\nB: 234567\r\n\r\nbody";
        let expected = (Some(b"A: 1\r\n".to_vec()), b"body".to_vec(), 7);
        assert_eq!(collect(content, &[usize::MAX], 10), expected);
        assert_eq!(collect(content, &[1], 10), expected);
        let limits = Limits {
            header_octets: 10,
            ..Limits::default()
        };
        let mut collector = Collector::new(&limits);
        collector.feed(content);
        assert!(collector.anomalies().contains(Anomaly::HeaderTooLarge));
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(content in "[a\r\n]{0,30}", cuts in prop::collection::vec(1_usize..6, 1..6), max in 0_usize..30) {
            let content = content.as_bytes();
            prop_assert_eq!(collect(content, &cuts, max), collect(content, &[usize::MAX], max));
        }

        /// Against a reader that takes one line after the other.
        #[test]
        fn agrees_with_a_plain_reader(content in "[a\r\n]{0,30}") {
            let content = content.as_bytes();
            let mut at = 0;
            let mut expected = None;
            for line in content.split_inclusive(|&octet| octet == b'\n') {
                let is_empty = line.ends_with(b"\n") && line[..line.len() - 1].iter().all(|&octet| octet == b'\r');
                if is_empty {
                    expected = Some((content[..at].to_vec(), content[at + line.len()..].to_vec()));
                    break;
                }
                at += line.len();
            }
            let (section, body, _) = collect(content, &[usize::MAX], 1000);
            prop_assert_eq!(section.map(|section| (section, body)), expected);
        }
    }
}
