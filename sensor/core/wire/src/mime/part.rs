//! One leaf: what its header says of it, and what is wanted of its octets.

use super::content_type::{ContentType, Disposition};
use super::text::{Search, Window};
use super::transfer::DecodedSize;
use crate::anomaly::AnomalySet;
use crate::limits::Limits;

/// Where the octets of the current leaf go. By default nowhere: a preamble, an epilogue, a text that isn't the first.
#[derive(Clone, Default)]
pub(super) struct Sinks {
    /// The place of the leaf in the list of attachments, and its size so far.
    pub(super) size: Option<(usize, DecodedSize)>,
    /// Its first octets.
    pub(super) window: Option<Window>,
}

impl Sinks {
    pub(super) fn feed(&mut self, octets: &[u8]) {
        if let Some((_, size)) = &mut self.size {
            size.feed(octets);
        }
        if let Some(window) = &mut self.window {
            window.feed(octets);
        }
    }

    pub(super) fn gap(&mut self) {
        if let Some((_, size)) = &mut self.size {
            size.gap();
        }
        if let Some(window) = &mut self.window {
            window.gap();
        }
    }
}

/// Which texts are still to be searched for marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The first text of the mail.
    FirstText,
    /// The HTML that says the same as the plain text just found.
    Html,
    Nothing,
}

impl Wanted {
    /// How the text of *subtype* is searched, if it is, and what is wanted after it.
    pub(super) fn next(self, subtype: &str, is_alternative: bool) -> (Option<Search>, Self) {
        match (self, subtype) {
            (Self::FirstText | Self::Html, "html") => (Some(Search::MarksInHtml), Self::Nothing),
            (Self::FirstText, "plain") if is_alternative => (Some(Search::Marks), Self::Html),
            (Self::FirstText, _) => (Some(Search::Marks), Self::Nothing),
            (wanted, _) => (None, wanted),
        }
    }
}

/// True if a leaf is listed: it is named or declared an attachment, or is a message, or no text.
pub(super) fn is_listed(content_type: &ContentType, disposition: &Disposition, filename: Option<&str>) -> bool {
    filename.is_some() || disposition.is_attachment || content_type.is_message() || !content_type.is_text()
}

/// The file name: `filename` of the disposition, else `name` of the type. Controls become U+FFFD; an empty name is none.
pub(super) fn filename(
    content_type: &ContentType,
    disposition: &Disposition,
    limits: &Limits,
    anomalies: &mut AnomalySet,
) -> Option<String> {
    let of_disposition = disposition
        .parameters
        .text("filename", anomalies)
        .and_then(|name| tidied(&name, limits));
    of_disposition.or_else(|| {
        let of_type = content_type.parameters.text("name", anomalies)?;
        tidied(&of_type, limits)
    })
}

fn tidied(name: &str, limits: &Limits) -> Option<String> {
    let mut tidy = String::new();
    for character in name.trim().chars() {
        let visible = if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        };
        if tidy.len() + visible.len_utf8() > limits.attachment_name_octets {
            break;
        }
        tidy.push(visible);
    }
    (!tidy.is_empty()).then_some(tidy)
}
