//! Octets of a field value as text: trimmed, unfolded, valid UTF-8.

use std::borrow::Cow;

use crate::anomaly::{Anomaly, AnomalySet};

/// True for what separates words in a raw field value: WSP, and the line ends of folds.
#[must_use]
pub const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// *raw* without the blanks and line ends at both ends.
#[must_use]
pub fn trim(raw: &[u8]) -> &[u8] {
    let start = raw.iter().position(|&octet| !is_blank(octet));
    let end = raw.iter().rposition(|&octet| !is_blank(octet));
    match (start, end) {
        (Some(start), Some(end)) => &raw[start..=end],
        _ => &[],
    }
}

/// *raw* with each fold, a line end and the WSP after it, turned into one blank (RFC 5322 2.2.3).
///
/// The RFC would keep the WSP itself; since mailers fold with a tab where a blank stood, both become a blank. A line end
/// or a bare CR without WSP after it becomes a blank too, so the result is always one line.
#[must_use]
pub fn unfold(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'\r', b'\n', raw) else {
        return Cow::Borrowed(raw);
    };
    let mut line = Vec::with_capacity(raw.len());
    let (mut done, mut next) = (0, Some(first));
    while let Some(at) = next {
        line.extend_from_slice(&raw[done..at]);
        line.push(b' ');
        done = after_fold(raw, at);
        next = memchr::memchr2(b'\r', b'\n', &raw[done..]).map(|found| done + found);
    }
    line.extend_from_slice(&raw[done..]);
    Cow::Owned(line)
}

/// Where the text goes on after the line end at *at*: past its CRs, its LF, and one WSP.
fn after_fold(raw: &[u8], at: usize) -> usize {
    let crs = raw[at..].iter().take_while(|&&octet| octet == b'\r').count();
    let mut next = at + crs;
    if raw.get(next) == Some(&b'\n') {
        next += 1;
        if matches!(raw.get(next), Some(b' ' | b'\t')) {
            next += 1;
        }
    }
    next
}

/// Appends *octets* to *text*; those that are not UTF-8 become U+FFFD, which is noted (RFC 6532 3.1).
pub fn push_utf8(text: &mut String, octets: &[u8], anomalies: &mut AnomalySet) {
    match std::str::from_utf8(octets) {
        Ok(valid) => text.push_str(valid),
        Err(_) => {
            anomalies.insert(Anomaly::HeaderNotUtf8);
            text.push_str(&String::from_utf8_lossy(octets));
        }
    }
}

/// *raw* trimmed and unfolded, as text.
#[must_use]
pub fn line(raw: &[u8], anomalies: &mut AnomalySet) -> String {
    let mut text = String::new();
    push_utf8(&mut text, &unfold(trim(raw)), anomalies);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folds_become_one_blank() {
        for (raw, expected) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"a\r\n b", b"a b"),
            (b"a\r\n\tb", b"a b"),
            (b"a \r\n  b", b"a   b"),
            (b"a\n b\r\r\n c", b"a b c"),
            (b"a\rb", b"a b"),
            (b"a\r\nb", b"a b"),
            (b"\r\n", b" "),
            (b"", b""),
        ] {
            assert_eq!(unfold(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn trims_blanks_and_folds_at_both_ends() {
        assert_eq!(trim(b" \r\n\t a b \r\n "), b"a b");
        assert_eq!(trim(b" \r\n "), b"");
        assert_eq!(trim(b""), b"");
    }

    proptest! {
        #[test]
        fn unfolded_text_is_one_line_and_no_longer(raw in "[ab \t\r\n]{0,40}") {
            let line = unfold(raw.as_bytes());
            prop_assert!(line.len() <= raw.len());
            prop_assert!(!line.contains(&b'\r') && !line.contains(&b'\n'));
        }
    }
}
