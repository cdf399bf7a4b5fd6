//! What the fuzz targets share: small bounds, arbitrary operations, and what must hold of every record.
//!
//! A target asserts more than that nothing panics: that bounds are kept, and that the answer does not depend on where the
//! octets were cut.

pub mod dialogue;
pub mod segments;

use std::sync::{Arc, LazyLock};

use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::message::MessageFacts;
use wire::record::event::{Event, Transaction};
use wire::record::json::{write_line, Origin};

/// Bounds so small that a few hundred octets reach them.
#[must_use]
pub fn small_limits() -> Limits {
    Limits {
        encapsulations: 6,
        ipv6_extension_headers: 3,
        fragment_datagrams: 3,
        fragments_per_datagram: 4,
        fragment_octets: 2_048,
        flows: 4,
        embryonic_flows: 3,
        settled_flows: 3,
        out_of_order_octets_per_flow: 512,
        out_of_order_segments_per_flow: 6,
        out_of_order_octets: 1_024,
        causal_hold_octets_per_flow: 256,
        line_octets: 64,
        probe_octets: 96,
        pending_commands: 6,
        held_octets: 128,
        session_octets: 1_024,
        recipients: 3,
        reply_lines: 3,
        reply_text_octets: 24,
        header_octets: 512,
        header_field_octets: 96,
        header_fields: 12,
        header_addresses: 4,
        header_references: 3,
        received_lines: 3,
        kept_fields: 3,
        kept_field_octets: 24,
        mime_depth: 3,
        mime_parts: 5,
        attachments: 3,
        mime_boundary_octets: 24,
        mime_parameters: 4,
        media_type_octets: 24,
        attachment_name_octets: 24,
        mime_part_header_octets: 96,
        body_search_octets: 64,
        ..Limits::default()
    }
}

/// Something of every kind that the artifact table asks for.
pub static INTEREST: LazyLock<Arc<Interest>> = LazyLock::new(|| {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let spec = InterestSpec {
        fields: texts(&["x-forwarded-to", "x-ms-exchange-inbox-rules-loop", "resent-from"]),
        reverse_path_marks: texts(&["+caf_=", "srs0="]),
        subject_prefixes: texts(&["fwd", "fw"]),
        body_marks: texts(&["forwarded message", "original message"]),
        ..InterestSpec::default()
    };
    Arc::new(Interest::new(&spec).expect("these few patterns compile"))
});

/// Cuts *octets* into pieces of *size* octets, or leaves them whole if it is 0.
pub fn pieces(octets: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    octets.chunks(if size == 0 { octets.len().max(1) } else { size })
}

/// Reads a fuzzer's octets as numbers and texts.
#[derive(Debug)]
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// The next octet; none at the end.
    pub fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next number of 16 bits, or less at the end.
    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.octet().unwrap_or(0), self.octet().unwrap_or(0)])
    }

    /// The next *count* octets, or what there is.
    pub fn octets(&mut self, count: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        first
    }
}

/// What must hold of every record: its bounds are kept, and it prints as one line of JSON.
pub fn check_event(event: &Event, limits: &Limits) {
    if let Event::Transaction(transaction) = event {
        check_transaction(transaction, limits);
    }
    let forwarding = serde_json::value::to_raw_value(&serde_json::json!({})).expect("an empty object is JSON");
    let origin = Origin {
        sensor: "fuzz",
        tap: "pcap",
    };
    let mut line = Vec::new();
    write_line(&mut line, event, origin, &forwarding).expect("writing to memory");
    assert_eq!(line.pop(), Some(b'\n'));
    assert!(!line.contains(&b'\n'));
    serde_json::from_slice::<serde_json::Value>(&line).expect("a record is JSON");
}

fn check_transaction(transaction: &Transaction, limits: &Limits) {
    assert!(transaction.forward_paths.len() <= limits.recipients);
    if let Some(reply) = &transaction.reply {
        assert!(reply.text.len() <= limits.reply_text_octets);
    }
    if let Some(message) = &transaction.message {
        check_message(message, limits);
    }
}

/// What must hold of the facts of a mail.
pub fn check_message(message: &MessageFacts, limits: &Limits) {
    let header = &message.header;
    for list in [&header.from, &header.to, &header.cc, &header.reply_to] {
        assert!(list.len() <= limits.header_addresses);
    }
    assert!(header.references.len() <= limits.header_references);
    assert!(message.received.len() <= limits.received_lines);
    assert!(message.fields.len() <= limits.kept_fields);
    assert!(message.body.attachments.len() <= limits.attachments);
    assert!(message.body.digest.is_none() || message.missing_octets == 0);
}
