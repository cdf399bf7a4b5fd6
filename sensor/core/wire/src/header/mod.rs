//! The header section of a mail (RFC 5322, RFC 6532): collected, split, and the fields that matter parsed.
//!
//! [`collector::Collector`] finds the section in the stream of content, [`parse_section`] reads it. Which fields are parsed
//! stands in one table below; each parser has a file of its own.
//!
//! Where a field that may occur once (RFC 5322 3.6) occurs more often, the first counts and an anomaly tells of the others.

mod addr_spec;
pub mod address;
mod auto_submitted;
mod base64;
mod charset;
pub mod collector;
pub mod date;
pub mod encoded_word;
mod identifier;
mod kept;
mod lexer;
mod list_id;
mod received;
pub mod section;
mod text;
mod unstructured;

#[cfg(test)]
mod cases;

use crate::anomaly::{Anomaly, AnomalySet};
use crate::interest::{Interest, Keep};
use crate::limits::Limits;
use crate::message::{Header, KeptField, Received};
use section::{Field, Fields};

/// What a header section told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFacts<'a> {
    /// The common fields.
    pub header: Header,
    /// Fields the artifact table names, those that touch and context, topmost first; at most [`Limits::kept_fields`].
    pub fields: Vec<KeptField>,
    /// The fields that say how to read the body.
    pub content: ContentFields<'a>,
    /// The address in the `for` clause of the topmost Received line that has one, as it stands there, and the first one
    /// below that is another.
    pub received_for: [Option<&'a [u8]>; 2],
    /// True if there is a field that the artifact table names, or the subject has one of its prefixes.
    pub touched: bool,
    /// What was odd.
    pub anomalies: AnomalySet,
}

/// Raw values of the fields that say how to read the body (RFC 2045), folds included; none where the field is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentFields<'a> {
    /// Content-Type.
    pub content_type: Option<&'a [u8]>,
    /// Content-Transfer-Encoding.
    pub transfer_encoding: Option<&'a [u8]>,
    /// Content-Disposition (RFC 2183).
    pub disposition: Option<&'a [u8]>,
    /// MIME-Version.
    pub mime_version: Option<&'a [u8]>,
}

/// How often a field may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occurs {
    Once,
    Repeatedly,
}

/// Declares the parsed fields: slot, name in lower case, how often it may occur.
macro_rules! parsed_fields {
    ($($slot:ident = $name:literal $occurs:ident,)+) => {
        /// A field that is parsed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Slot { $($slot,)+ }

        impl Slot {
            /// The slot of the field *name*, in lower case.
            fn of(name: &[u8]) -> Option<(Self, Occurs)> {
                match name { $($name => Some((Self::$slot, Occurs::$occurs)),)+ _ => None }
            }

            const ALL: &'static [(Self, &'static [u8])] = &[$((Self::$slot, $name),)+];
        }
    };
}

parsed_fields! {
    MessageId = b"message-id" Once,
    From = b"from" Once,
    Sender = b"sender" Once,
    To = b"to" Once,
    Cc = b"cc" Once,
    ReplyTo = b"reply-to" Once,
    Subject = b"subject" Once,
    Date = b"date" Once,
    InReplyTo = b"in-reply-to" Once,
    References = b"references" Once,
    ResentFrom = b"resent-from" Repeatedly,
    DeliveredTo = b"delivered-to" Repeatedly,
    ListId = b"list-id" Once,
    AutoSubmitted = b"auto-submitted" Once,
    Received = b"received" Repeatedly,
    ThreadTopic = b"thread-topic" Once,
    ContentType = b"content-type" Once,
    ContentTransferEncoding = b"content-transfer-encoding" Once,
    ContentDisposition = b"content-disposition" Once,
    MimeVersion = b"mime-version" Once,
}

/// Octets of the longest name in the table.
const LONGEST_NAME: usize = "content-transfer-encoding".len();

/// Reads *section*, a header section without the empty line that ends it.
#[must_use]
pub fn parse_section<'a>(section: &'a [u8], interest: &Interest, limits: &Limits) -> HeaderFacts<'a> {
    let mut reader = Reader::new(interest, limits);
    let mut fields = Fields::new(section, limits.header_field_octets);
    for field in fields.by_ref() {
        if reader.position as usize >= limits.header_fields {
            reader.facts.anomalies.insert(Anomaly::HeaderTooManyFields);
            break;
        }
        reader.field(&field);
    }
    let mut facts = reader.facts;
    facts.touched |= has_marked_topic(&facts.header, interest);
    facts.anomalies.extend(fields.anomalies());
    if !section.is_ascii() && std::str::from_utf8(section).is_err() {
        facts.anomalies.insert(Anomaly::HeaderNotUtf8);
    }
    facts
}

/// The address in the `for` clause of a Received line, found without reading the line (RFC 5321 4.4).
fn received_for(value: &[u8]) -> Option<&[u8]> {
    let is_word = |&at: &usize| {
        let after = value.get(at + b"for".len());
        at > 0 && value[at - 1].is_ascii_whitespace() && after.is_some_and(u8::is_ascii_whitespace)
    };
    let at = memchr::memmem::find_iter(value, b"for").find(is_word)?;
    let rest = value[at + b"for".len()..].trim_ascii_start();
    let rest = rest.strip_prefix(b"<").unwrap_or(rest);
    let end = rest
        .iter()
        .position(|octet| octet.is_ascii_whitespace() || matches!(octet, b'>' | b';'));
    let address = &rest[..end.unwrap_or(rest.len())];
    address.contains(&b'@').then_some(address)
}

fn has_marked_topic(header: &Header, interest: &Interest) -> bool {
    match (&header.subject, &header.thread_topic) {
        (Some(subject), Some(topic)) => interest.marks_topic(subject, topic),
        _ => false,
    }
}

/// The Received chain of *section*, topmost first; at most [`Limits::received_lines`].
///
/// Apart from [`parse_section`], which only counts the lines: to read them takes as long as all other fields together, and
/// they are asked of few mails. What is odd in them is a matter of some hop and is noted apart from the mail's own.
#[must_use]
pub fn trace(section: &[u8], limits: &Limits, anomalies: &mut AnomalySet) -> Vec<Received> {
    let fields = Fields::new(section, limits.header_field_octets).take(limits.header_fields);
    let numbered = (0..).zip(fields);
    numbered
        .filter(|(_, field)| field.name.eq_ignore_ascii_case(b"received"))
        .take(limits.received_lines)
        .map(|(position, field)| received::parse(field.value, position, anomalies))
        .collect()
}

struct Reader<'a, 'l> {
    interest: &'l Interest,
    limits: &'l Limits,
    facts: HeaderFacts<'a>,
    /// Place of the next field.
    position: u32,
    /// Slots met, as bits.
    seen: u32,
}

impl<'a, 'l> Reader<'a, 'l> {
    fn new(interest: &'l Interest, limits: &'l Limits) -> Self {
        Self {
            interest,
            limits,
            facts: HeaderFacts::default(),
            position: 0,
            seen: 0,
        }
    }

    fn field(&mut self, field: &Field<'a>) {
        match self.interest.keeps_field(field.name) {
            Keep::Not => {}
            Keep::AsContext => self.keep(field),
            Keep::AndTouch => {
                self.facts.touched = true;
                self.keep(field);
            }
        }
        if let Some((slot, occurs)) = lookup(field.name) {
            let bit = 1 << slot as u32;
            if occurs == Occurs::Once && self.seen & bit != 0 {
                self.facts.anomalies.insert(Anomaly::HeaderDuplicateField);
            } else {
                self.seen |= bit;
                self.parse(slot, field.value);
            }
        }
        self.position = self.position.saturating_add(1);
    }

    fn keep(&mut self, field: &Field<'_>) {
        let HeaderFacts {
            header,
            fields,
            anomalies,
            ..
        } = &mut self.facts;
        if fields.len() >= self.limits.kept_fields {
            anomalies.insert(Anomaly::HeaderTooManyKept);
            return;
        }
        let octets_max = self.limits.kept_field_octets;
        fields.push(kept::keep(
            field,
            self.position,
            header.received_count,
            octets_max,
            anomalies,
        ));
    }

    /// The one place where a parser meets its slot.
    fn parse(&mut self, slot: Slot, value: &'a [u8]) {
        let HeaderFacts {
            header,
            content,
            anomalies,
            ..
        } = &mut self.facts;
        let max = self.limits.header_addresses;
        match slot {
            Slot::MessageId => header.message_id = identifier::message_id(value, anomalies),
            Slot::From => address::list(value, max, &mut header.from, anomalies),
            Slot::Sender => header.sender = address::first(value, anomalies),
            Slot::To => address::list(value, max, &mut header.to, anomalies),
            Slot::Cc => address::list(value, max, &mut header.cc, anomalies),
            Slot::ReplyTo => address::list(value, max, &mut header.reply_to, anomalies),
            Slot::Subject => self.subject(value),
            Slot::Date => header.date = date::parse(value, anomalies),
            Slot::InReplyTo => header.in_reply_to = identifier::in_reply_to(value, anomalies),
            Slot::References => {
                identifier::references(value, self.limits.header_references, &mut header.references, anomalies);
            }
            Slot::ResentFrom => address::list(value, max, &mut header.resent_from, anomalies),
            Slot::DeliveredTo => address::list(value, max, &mut header.delivered_to, anomalies),
            Slot::ListId => header.list_id = list_id::parse(value, anomalies),
            Slot::AutoSubmitted => header.auto_submitted = auto_submitted::parse(value, anomalies),
            Slot::Received => self.received(value),
            Slot::ThreadTopic => header.thread_topic = Some(unstructured::parse(value, anomalies)),
            Slot::ContentType => content.content_type = Some(value),
            Slot::ContentTransferEncoding => content.transfer_encoding = Some(value),
            Slot::ContentDisposition => content.disposition = Some(value),
            Slot::MimeVersion => content.mime_version = Some(value),
        }
    }

    fn subject(&mut self, value: &[u8]) {
        let subject = unstructured::parse(value, &mut self.facts.anomalies);
        self.facts.touched |= self.interest.marks_subject(&subject);
        self.facts.header.subject = Some(subject);
    }

    /// Counts the line; [`trace`] reads as many as the limit allows.
    fn received(&mut self, value: &'a [u8]) {
        self.facts.received_for = match self.facts.received_for {
            [None, _] => [received_for(value), None],
            // A gateway's line names the recipient as the one below it does, but for mail that was sent on between them.
            [Some(last), None] => [
                Some(last),
                received_for(value).filter(|other| !other.eq_ignore_ascii_case(last)),
            ],
            both => both,
        };
        let count = &mut self.facts.header.received_count;
        *count = count.saturating_add(1);
        if *count as usize > self.limits.received_lines {
            self.facts.anomalies.insert(Anomaly::HeaderTooManyReceived);
        }
    }
}

/// The slot of the field *name* (any case).
fn lookup(name: &[u8]) -> Option<(Slot, Occurs)> {
    let initials = INITIALS.get(name.len())?;
    if initials & 1 << (name.first()? & 31) == 0 {
        return None;
    }
    let mut folded = [0_u8; LONGEST_NAME];
    let folded = &mut folded[..name.len()];
    folded.copy_from_slice(name);
    folded.make_ascii_lowercase();
    Slot::of(folded)
}

/// By length of a name, the letters that names of the table begin with, as bits: most fields are told apart by that.
static INITIALS: [u32; LONGEST_NAME + 1] = {
    let mut initials = [0; LONGEST_NAME + 1];
    let mut at = 0;
    while at < Slot::ALL.len() {
        let name = Slot::ALL[at].1;
        initials[name.len()] |= 1 << (name[0] & 31);
        at += 1;
    }
    initials
};
