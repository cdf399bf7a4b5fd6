//! The facts drawn from one mail's content: its header section, its MIME parts, its size and digest.
//!
//! [`crate::header`] and [`crate::mime`] produce them, [`crate::record`] prints them. Everything here is owned and small;
//! no body octet is kept.

use crate::anomaly::AnomalySet;

/// The fields of the header section that every record carries (design 3.1).
///
/// Addresses are bare (`local@domain`), the domain in lower case, the local part as written. Text is decoded (RFC 2047)
/// and valid UTF-8; what could not be decoded holds U+FFFD and an anomaly tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Message-ID without its angle brackets (RFC 5322 3.6.4).
    pub message_id: Option<String>,
    /// From (RFC 5322 3.6.2).
    pub from: Vec<String>,
    /// Sender.
    pub sender: Option<String>,
    /// To (RFC 5322 3.6.3).
    pub to: Vec<String>,
    /// Cc.
    pub cc: Vec<String>,
    /// Reply-To.
    pub reply_to: Vec<String>,
    /// Subject, decoded and unfolded.
    pub subject: Option<String>,
    /// Date as RFC 3339 with its own offset, e.g. `2026-11-22T01:04:17+01:00`; none where it does not parse.
    pub date: Option<String>,
    /// In-Reply-To: the first identifier, without brackets.
    pub in_reply_to: Option<String>,
    /// References, without brackets, in order.
    pub references: Vec<String>,
    /// Resent-From of every resent block, topmost first (RFC 5322 3.6.6).
    pub resent_from: Vec<String>,
    /// Delivered-To, topmost first (RFC 9228).
    pub delivered_to: Vec<String>,
    /// List-Id: the identifier between the brackets (RFC 2919).
    pub list_id: Option<String>,
    /// Auto-Submitted: its keyword in lower case (RFC 3834 5).
    pub auto_submitted: Option<String>,
    /// How many Received lines there are.
    pub received_count: u32,
    /// Thread-Topic, decoded.
    pub thread_topic: Option<String>,
}

/// A header field kept raw because the artifact table names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptField {
    /// The name as written.
    pub name: String,
    /// The value unfolded, blanks at both ends removed, encoded-words left as they are.
    pub value: String,
    /// Its place among all fields of the header section, 0 the topmost.
    pub position: u32,
    /// How many Received lines stand above it: 0 means it was added after the last hop stamped the mail.
    pub received_above: u32,
}

/// One Received line (RFC 5321 4.4), topmost first. Clauses that are absent or unreadable are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// `from`: the name the client gave.
    pub from: Option<String>,
    /// The TCP-info of the from clause: the client's address literal, without brackets.
    pub from_ip: Option<String>,
    /// `by`: the host that wrote the line.
    pub by: Option<String>,
    /// `with`: the protocol, e.g. `ESMTPS`.
    pub with: Option<String>,
    /// `id`.
    pub id: Option<String>,
    /// `for`: a bare address.
    pub for_address: Option<String>,
    /// The date after the last semicolon, as RFC 3339.
    pub date: Option<String>,
    /// Place among all fields, 0 the topmost.
    pub position: u32,
}

/// One attachment: a MIME part that is named or declared one (RFC 2183), or an attached message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// File name, decoded (RFC 2231, or RFC 2047 as many clients write it).
    pub filename: Option<String>,
    /// `type/subtype` in lower case.
    pub content_type: String,
    /// Octets after undoing the transfer encoding; what was lost is not in it.
    pub size_octets: u64,
}

/// What the body told: parts, digest, marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// Attachments in order.
    pub attachments: Vec<Attachment>,
    /// `message/rfc822` and `message/global` parts anywhere in the mail.
    pub attached_messages: u32,
    /// Parts in all, 1 for a mail that is not multipart.
    pub parts: u32,
    /// Digest of the unstuffed body: 32 hex digits; none where octets of the body are missing.
    pub digest: Option<String>,
    /// Octets of the body seen, dots unstuffed.
    pub octets: u64,
    /// Patterns of [`crate::interest::InterestSpec::body_marks`] found, each once, in ascending order.
    pub marks: Vec<u32>,
    /// Those of `marks` that a quoted header block follows: two or more labels of one language.
    pub labelled_marks: Vec<u32>,
    /// Languages ([`crate::interest::LabelSpec`]) of the quoted header blocks found, ascending; looked for only in mail that
    /// is touched otherwise.
    pub label_languages: Vec<u32>,
    /// Addresses named by a report that holds one of the marks, lower case, each once; at most
    /// [`crate::limits::Limits::reported_addresses`].
    pub reported_addresses: Vec<String>,
    /// The top-level `type/subtype` in lower case; `text/plain` where there is none (RFC 2045 5.2).
    pub content_type: String,
    /// `report-type` parameter of a multipart/report (RFC 6522), lower case.
    pub report_type: Option<String>,
    /// `method` parameter of the first text/calendar part (RFC 6047 2.4), lower case.
    pub calendar_method: Option<String>,
}

/// Everything drawn from one mail's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFacts {
    /// The common fields.
    pub header: Header,
    /// Fields the artifact table asked for, topmost first.
    pub fields: Vec<KeptField>,
    /// The Received chain, topmost first.
    pub received: Vec<Received>,
    /// What the body told.
    pub body: BodyFacts,
    /// True if the header section was seen to its end without a loss.
    pub header_complete: bool,
    /// Octets of content seen, dots unstuffed.
    pub size_octets: u64,
    /// True if the tap came in after the content had begun, so that its size is not known.
    pub beginning_unseen: bool,
    /// True if the content went on behind what was seen, nobody knows how far.
    pub end_unseen: bool,
    /// Octets of content that were lost (gaps).
    pub missing_octets: u64,
    /// What was odd.
    pub anomalies: AnomalySet,
}

/// What *texts* take in memory.
fn texts_octets<'a>(texts: impl IntoIterator<Item = &'a String>) -> usize {
    texts.into_iter().map(|text| size_of::<String>() + text.len()).sum()
}

impl Header {
    fn held_octets(&self) -> usize {
        let lists = [
            &self.from,
            &self.to,
            &self.cc,
            &self.reply_to,
            &self.references,
            &self.resent_from,
            &self.delivered_to,
        ];
        let texts = [&self.message_id, &self.subject, &self.in_reply_to, &self.thread_topic];
        texts_octets(lists.into_iter().flatten()) + texts_octets(texts.into_iter().flatten())
    }
}

impl Received {
    fn held_octets(&self) -> usize {
        let texts = [&self.from, &self.by, &self.with, &self.id, &self.for_address];
        size_of::<Self>() + texts_octets(texts.into_iter().flatten())
    }
}

impl Attachment {
    /// What it takes in memory.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        size_of::<Self>() + self.content_type.len() + self.filename.as_ref().map_or(0, String::len)
    }
}

impl MessageFacts {
    /// What they take in memory beside their own size and a few short texts. Walks over all of them.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        let field = |field: &KeptField| size_of::<KeptField>() + field.name.len() + field.value.len();
        self.header.held_octets()
            + self.fields.iter().map(field).sum::<usize>()
            + self.received.iter().map(Received::held_octets).sum::<usize>()
            + self.body.attachments.iter().map(Attachment::held_octets).sum::<usize>()
    }

    /// Octets of the content as transferred, dots unstuffed: those seen and those known to be lost.
    ///
    /// None if its beginning was not seen, or its rest was never shown. Where its end was lost, the loss may have reached beyond it.
    #[must_use]
    pub fn transferred_octets(&self) -> Option<u64> {
        (!self.beginning_unseen && !self.end_unseen).then(|| self.size_octets.saturating_add(self.missing_octets))
    }
}
