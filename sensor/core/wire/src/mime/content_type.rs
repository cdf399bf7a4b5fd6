//! Content-Type (RFC 2045 5) and Content-Disposition (RFC 2183), each as the few facts that are wanted of it.

use super::cursor::Cursor;
use super::parameters::Parameters;
use crate::limits::Limits;

/// A Content-Type.
pub(super) struct ContentType<'a> {
    /// `type/subtype` in lower case.
    pub(super) media_type: String,
    pub(super) parameters: Parameters<'a>,
    /// True if the field was there and did not parse; it then counts as the default type (RFC 2045 5.2).
    pub(super) is_malformed: bool,
}

impl<'a> ContentType<'a> {
    /// Reads the raw value of a Content-Type, *default* where there is none.
    pub(super) fn read(raw: Option<&'a [u8]>, default: &str, limits: &Limits) -> Self {
        let Some(raw) = raw else {
            return Self {
                media_type: default.to_owned(),
                parameters: Parameters::default(),
                is_malformed: false,
            };
        };
        let mut cursor = Cursor::new(raw);
        let media_type = media_type(&mut cursor, limits);
        let parameters = Parameters::read(&mut cursor, limits);
        Self {
            is_malformed: media_type.is_none() || parameters.are_malformed,
            media_type: media_type.unwrap_or_else(|| "text/plain".to_owned()),
            parameters,
        }
    }

    /// True for `text/` anything.
    pub(super) fn is_text(&self) -> bool {
        self.media_type.starts_with("text/")
    }

    /// The subtype, if this is a multipart.
    pub(super) fn multipart(&self) -> Option<&str> {
        self.media_type.strip_prefix("multipart/")
    }

    /// The parameter *name* in lower case, if it is a word of printable ASCII no longer than a media type.
    pub(super) fn token(&self, name: &str, limits: &Limits) -> Option<String> {
        let octets = self.parameters.octets(name)?;
        let is_word = !octets.is_empty() && octets.iter().all(u8::is_ascii_graphic);
        let is_token = is_word && octets.len() <= limits.media_type_octets;
        is_token.then(|| String::from_utf8_lossy(&octets).to_ascii_lowercase())
    }

    /// True for a whole mail as a part (RFC 2046 5.2.1, RFC 6532 3.7).
    pub(super) fn is_message(&self) -> bool {
        matches!(self.media_type.as_str(), "message/rfc822" | "message/global")
    }
}

/// `type/subtype` in printable ASCII and of a length that RFC 6838 4.2 allows.
fn media_type(cursor: &mut Cursor, limits: &Limits) -> Option<String> {
    let kind = cursor.word();
    let subtype = if cursor.take(b'/') { cursor.word() } else { b"" };
    let octets = kind.len() + 1 + subtype.len();
    let is_name = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
    if octets > limits.media_type_octets || !is_name(kind) || !is_name(subtype) {
        return None;
    }
    let written = [kind, b"/", subtype].concat().to_ascii_lowercase();
    String::from_utf8(written).ok()
}

/// A Content-Disposition.
#[derive(Default)]
pub(super) struct Disposition<'a> {
    /// True for `attachment` and for words we don't know (RFC 2183 2.8).
    pub(super) is_attachment: bool,
    pub(super) parameters: Parameters<'a>,
}

impl<'a> Disposition<'a> {
    /// Reads the raw value of a Content-Disposition. One that starts with a parameter, as some write it, is inline.
    pub(super) fn read(raw: Option<&'a [u8]>, limits: &Limits) -> Self {
        let Some(raw) = raw else {
            return Self::default();
        };
        let mut cursor = Cursor::new(raw);
        let word = cursor.word();
        if cursor.take(b'=') {
            return Self {
                is_attachment: false,
                parameters: Parameters::read(&mut Cursor::new(raw), limits),
            };
        }
        Self {
            is_attachment: !word.is_empty() && !word.eq_ignore_ascii_case(b"inline"),
            parameters: Parameters::read(&mut cursor, limits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read() {
        let cases: &[(Option<&[u8]>, &str, bool)] = &[
            (None, "the/default", false),
            (Some(b"Text/HTML; charset=x"), "text/html", false),
            (Some(b" (c) multipart / mixed;boundary=x"), "multipart/mixed", false),
            (
                Some(b"application/vnd.ms-outlook;"),
                "application/vnd.ms-outlook",
                false,
            ),
            (Some(b"application/pdf name=x.pdf"), "application/pdf", false),
            (Some(b"text"), "text/plain", true),
            (Some(b"text/"), "text/plain", true),
            (Some(b"/plain"), "text/plain", true),
            (Some(b""), "text/plain", true),
            (Some(b"te\xffxt/plain"), "text/plain", true),
            (Some(b"html; name=x"), "text/plain", true),
        ];
        for (raw, expected, malformed) in cases {
            let content_type = ContentType::read(*raw, "the/default", &Limits::default());
            assert_eq!(
                (content_type.media_type.as_str(), content_type.is_malformed),
                (*expected, *malformed),
                "{raw:?}"
            );
        }
        let long = [b"a/", "b".repeat(300).as_bytes()].concat();
        assert!(ContentType::read(Some(&long), "", &Limits::default()).is_malformed);
    }

    #[test]
    fn dispositions_are_read() {
        type Case = (Option<&'static [u8]>, bool, Option<&'static [u8]>);
        let cases: &[Case] = &[
            (None, false, None),
            (Some(b"inline"), false, None),
            (Some(b"ATTACHMENT; filename=x"), true, Some(b"x")),
            (Some(b"x-unknown; filename=x"), true, Some(b"x")),
            (Some(b"filename=x.pdf; size=3"), false, Some(b"x.pdf")),
            (Some(b""), false, None),
        ];
        for (raw, is_attachment, filename) in cases {
            let disposition = Disposition::read(*raw, &Limits::default());
            assert_eq!(disposition.is_attachment, *is_attachment, "{raw:?}");
            assert_eq!(
                disposition.parameters.octets("filename").as_deref(),
                *filename,
                "{raw:?}"
            );
        }
    }
}
