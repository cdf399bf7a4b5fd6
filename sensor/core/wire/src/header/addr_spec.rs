//! One addr-spec (RFC 5322 3.4.1), gathered from its tokens and printed bare.
//!
//! The local part is printed as written, in quotes only where the grammar needs them; the domain in lower case without a
//! final dot. Control characters and octets that are not UTF-8 become U+FFFD.

use std::borrow::Cow;

use super::text::push_utf8;
use crate::anomaly::{Anomaly, AnomalySet};

/// *address*, already `local@domain`, with the domain in lower case and without a final dot.
#[must_use]
pub fn normalise(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            out.push_str(local);
            out.push('@');
            push_domain(&mut out, domain);
        }
        None => out.push_str(address),
    }
    out
}

/// An addr-spec under construction.
#[derive(Default)]
pub struct Spec<'a> {
    /// What stands before the `@`.
    pub local: Part<'a>,
    /// What stands behind it; present once the `@` was read.
    pub domain: Option<Part<'a>>,
}

impl<'a> Spec<'a> {
    /// True if nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.local.is_empty() && self.domain.is_none()
    }

    /// True if both sides of the `@` hold something.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.local.is_empty() && self.domain.as_ref().is_some_and(|domain| !domain.is_empty())
    }

    /// Takes an `@`. Servers that take `a@b@c` at all go by the last one: what stands before it becomes the local part.
    pub fn at(&mut self) {
        if let Some(domain) = self.domain.replace(Part::default()) {
            let local = self.local.text.to_mut();
            local.push(b'@');
            local.extend_from_slice(&domain.text);
            self.local.needs_quotes = true;
        }
    }

    /// `local@domain`, bare; none where a side is empty.
    #[must_use]
    pub fn print(&self, anomalies: &mut AnomalySet) -> Option<String> {
        let domain = self.domain.as_ref().filter(|_| self.is_whole())?;
        let mut address = String::with_capacity(self.local.text.len() + domain.text.len() + 3);
        self.local.print(&mut address, anomalies);
        address.push('@');
        let before_domain = address.len();
        print_domain(&domain.text, &mut address, anomalies);
        (address.len() > before_domain).then_some(address)
    }
}

/// Local part or domain as gathered from its tokens: quotes and quoted pairs undone.
#[derive(Default)]
pub struct Part<'a> {
    text: Cow<'a, [u8]>,
    /// It holds a quoted string, so it is there even if it is empty.
    was_quoted: bool,
    /// Where its grammar is broken and only quotes make it valid.
    needs_quotes: bool,
}

impl<'a> Part<'a> {
    /// True if nothing was read, not even `""`.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.was_quoted
    }

    /// Appends *octets* as they are.
    pub fn append(&mut self, octets: &'a [u8]) {
        if self.text.is_empty() {
            self.text = Cow::Borrowed(octets);
        } else {
            self.text.to_mut().extend_from_slice(octets);
        }
    }

    /// Appends the inside of a quoted string.
    pub fn append_quoted(&mut self, quoted: &'a [u8]) {
        self.was_quoted = true;
        if quoted.iter().any(|&octet| matches!(octet, b'\\' | b'\r' | b'\n')) {
            unquote(quoted, self.text.to_mut());
        } else {
            self.append(quoted);
        }
    }

    /// True if *word* continues it: obsolete syntax allows blanks around the dots (RFC 5322 4.4).
    #[must_use]
    pub fn joins(&self, word: &[u8], blank_before: bool) -> bool {
        !blank_before || self.text.ends_with(b".") || word.starts_with(b".")
    }

    /// Appends it as a local part, in quotes only if it needs them.
    fn print(&self, address: &mut String, anomalies: &mut AnomalySet) {
        let text = without_controls(&self.text, anomalies);
        if self.needs_quotes || (self.was_quoted && !is_dot_atom(&text)) {
            push_utf8(address, &quote(&text), anomalies);
        } else {
            push_utf8(address, &text, anomalies);
        }
    }
}

/// Appends *domain*, which may be anything.
fn print_domain(domain: &[u8], address: &mut String, anomalies: &mut AnomalySet) {
    let domain = without_controls(domain, anomalies);
    if let Ok(domain) = std::str::from_utf8(&domain) {
        return push_domain(address, domain);
    }
    let mut text = String::new();
    push_utf8(&mut text, &domain, anomalies);
    push_domain(address, &text);
}

/// *octets* with U+FFFD for each control character, which is noted.
fn without_controls<'a>(octets: &'a [u8], anomalies: &mut AnomalySet) -> Cow<'a, [u8]> {
    if !octets.iter().any(u8::is_ascii_control) {
        return Cow::Borrowed(octets);
    }
    anomalies.insert(Anomaly::HeaderMalformedAddress);
    let mut clean = Vec::with_capacity(octets.len());
    for octet in octets {
        match octet.is_ascii_control() {
            true => clean.extend_from_slice("\u{fffd}".as_bytes()),
            false => clean.push(*octet),
        }
    }
    Cow::Owned(clean)
}

/// Appends *domain* in lower case, without final dots.
fn push_domain(address: &mut String, domain: &str) {
    let domain = domain.trim_end_matches('.');
    if domain.is_ascii() {
        let start = address.len();
        address.push_str(domain);
        address[start..].make_ascii_lowercase();
    } else {
        address.push_str(&domain.to_lowercase());
    }
}

/// True if *local* needs no quotes (RFC 5322 3.2.3, RFC 6532 3.2).
fn is_dot_atom(local: &[u8]) -> bool {
    local
        .split(|&octet| octet == b'.')
        .all(|atom| !atom.is_empty() && atom.iter().all(|&octet| is_atext(octet)))
}

const fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || octet >= 0x80
        || matches!(
            octet,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

/// *text* as a quoted string (RFC 5322 3.2.4).
fn quote(text: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for &octet in text {
        if matches!(octet, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(octet);
    }
    quoted.push(b'"');
    quoted
}

/// Appends what the inside of a quoted string stands for: quoted pairs undone, line ends of folds dropped.
fn unquote(quoted: &[u8], out: &mut Vec<u8>) {
    let mut octets = quoted.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' => out.extend(octets.next()),
            b'\r' | b'\n' => {}
            _ => out.push(octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalise_changes_the_domain_alone() {
        for (address, expected) in [
            ("Ann@B.Example.", "Ann@b.example"),
            ("\"A@B\"@C", "\"A@B\"@c"),
            ("Root", "Root"),
            ("", ""),
        ] {
            assert_eq!(normalise(address), expected);
        }
    }
}
