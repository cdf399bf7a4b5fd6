//! What pairing needs of a mail, small enough to be kept for days: see `sensor/tally.py`, which draws the same slowly.
//!
//! A trace owns its few facts and does not keep its batch alive. Python draws each of them when it asks for it.

use pyo3::prelude::*;
use sha1::{Digest, Sha1};
use wire::message::MessageFacts;
use wire::record::event::{FlowId, ForwardPath, Transaction};
use wire::record::id::record_id;

use crate::tally::lower_case;

/// Bodies shorter than this ("ok, thanks") are alike by chance.
const MIN_BODY_OCTETS: u64 = 256;
/// The last References name the mail that is answered or passed on; a long thread names hundreds.
const MAX_REFERENCES: usize = 4;
/// Addresses that a mail says it came through; whoever writes more wants to be paired with somebody.
const MAX_NAMED: usize = 8;
/// Exchange's own word for the mail that a rule's mail was made from (MS-OXCMAIL).
const PARENT_FIELD: &str = "X-MS-Exchange-Parent-Message-Id";

/// What is told of a mail, drawn without Python.
pub struct Facts {
    /// In lower case; none where there is none, or it is empty.
    pub sender: Option<Box<str>>,
    /// Those that took the mail, or may have, in lower case.
    pub recipients: Vec<Box<str>>,
    flow: FlowId,
    transaction_index: u32,
    started_at_ns: i64,
    octets: Option<u64>,
    missing_octets: u64,
    has_attachments: bool,
    message_id: u64,
    body: u64,
    parents: Vec<u64>,
    author: Option<Box<str>>,
    unaddressed: Vec<String>,
    named: Vec<String>,
}

impl Facts {
    /// The facts of *transaction*.
    pub fn of(transaction: &Transaction) -> Self {
        let message = transaction.message.as_deref();
        let counted = transaction.forward_paths.iter().filter(|path| counts(path));
        let sender = transaction.reverse_path.as_deref().filter(|path| !path.is_empty());
        Self {
            sender: sender.map(|path| lower_case(path).into()),
            recipients: counted.map(|path| lower_case(&path.address).into()).collect(),
            flow: transaction.flow,
            transaction_index: transaction.session.transaction_index,
            started_at_ns: transaction.started_at.0,
            octets: message.and_then(MessageFacts::transferred_octets),
            missing_octets: transaction.completeness.missing_octets,
            has_attachments: message.is_some_and(|it| !it.body.attachments.is_empty() || it.body.attached_messages > 0),
            message_id: message
                .and_then(|it| it.header.message_id.as_deref())
                .map_or(0, fingerprint),
            body: message.map_or(0, fingerprint_of_body),
            parents: message.map_or_else(Vec::new, parents),
            author: message
                .and_then(|it| it.header.from.first())
                .map(|author| lower_case(author).into()),
            unaddressed: message.map_or_else(Vec::new, |message| unaddressed(transaction, message)),
            named: named(transaction, message),
        }
    }
}

/// One mail's fingerprints, and who stands where: see `sensor/_core.pyi`. It holds nothing of Python's: many are kept, and
/// Python would look for cycles among what they hold.
#[pyclass(frozen, module = "sensor._core")]
pub struct Trace {
    facts: Facts,
}

impl From<Facts> for Trace {
    fn from(facts: Facts) -> Self {
        Self { facts }
    }
}

#[pymethods]
impl Trace {
    #[getter]
    fn sender(&self) -> Option<&str> {
        self.facts.sender.as_deref()
    }
    #[getter]
    fn recipients(&self) -> Vec<&str> {
        self.facts.recipients.iter().map(AsRef::as_ref).collect()
    }
    #[getter]
    fn transaction_id(&self) -> String {
        record_id(&self.facts.flow, "transaction", self.facts.transaction_index)
    }
    #[getter]
    fn at_ms(&self) -> i64 {
        self.facts.started_at_ns.div_euclid(1_000_000)
    }
    #[getter]
    fn octets(&self) -> Option<u64> {
        self.facts.octets
    }
    #[getter]
    fn missing_octets(&self) -> u64 {
        self.facts.missing_octets
    }
    #[getter]
    fn has_attachments(&self) -> bool {
        self.facts.has_attachments
    }
    #[getter]
    fn message_id(&self) -> u64 {
        self.facts.message_id
    }
    #[getter]
    fn body(&self) -> u64 {
        self.facts.body
    }
    #[getter]
    fn parents(&self) -> Vec<u64> {
        self.facts.parents.clone()
    }
    #[getter]
    fn author(&self) -> Option<&str> {
        self.facts.author.as_deref()
    }
    #[getter]
    fn unaddressed(&self) -> Vec<&str> {
        self.facts.unaddressed.iter().map(String::as_str).collect()
    }
    #[getter]
    fn named(&self) -> Vec<&str> {
        self.facts.named.iter().map(String::as_str).collect()
    }
}

/// The first 64 bits of SHA-1: the same in every program, and quick. 0 stands for nothing.
fn fingerprint(text: &str) -> u64 {
    let digest = Sha1::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

/// The first half of the body's digest; 0 for bodies that are short or were not seen whole.
fn fingerprint_of_body(message: &MessageFacts) -> u64 {
    if message.body.octets < MIN_BODY_OCTETS {
        return 0;
    }
    let first_half = message.body.digest.as_deref().and_then(|digest| digest.get(..16));
    first_half.map_or(0, |digits| u64::from_str_radix(digits, 16).unwrap_or(0))
}

/// Fingerprints of In-Reply-To, the last References and Exchange's parent field, each once.
fn parents(message: &MessageFacts) -> Vec<u64> {
    let header = &message.header;
    let references = header.references.iter().rev().take(MAX_REFERENCES);
    let fields = message
        .fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(PARENT_FIELD));
    let mut found = Vec::new();
    header
        .in_reply_to
        .iter()
        .chain(references)
        .map(String::as_str)
        .chain(fields.map(|field| field.value.trim_matches(['<', '>', ' '])).take(1))
        .map(fingerprint)
        .for_each(|parent| push_new(&mut found, parent));
    found
}

/// Those recipients whom neither To nor Cc names.
fn unaddressed(transaction: &Transaction, message: &MessageFacts) -> Vec<String> {
    let written_to = || message.header.to.iter().chain(&message.header.cc);
    let mut found = Vec::new();
    for path in transaction.forward_paths.iter().filter(|path| counts(path)) {
        let exact = written_to().any(|address| *address == path.address);
        if !exact {
            let address = lower_case(&path.address);
            if !written_to().any(|written| lower_case(written) == address) {
                push_new(&mut found, address.into_owned());
            }
        }
    }
    found
}

/// The mailboxes that the mail says it came through: ORCPT (RFC 3461 4.2), Resent-From, Delivered-To, and `for` in the
/// Received lines kept.
fn named(transaction: &Transaction, message: Option<&MessageFacts>) -> Vec<String> {
    let mut found = Vec::new();
    let originals = transaction
        .forward_paths
        .iter()
        .filter_map(|path| path.orcpt.as_deref());
    for original in originals.map(|orcpt| orcpt.split_once(';').map_or(orcpt, |(_, address)| address)) {
        keep_name(&mut found, original);
    }
    if let Some(message) = message {
        let header = &message.header;
        let hops = message.received.iter().filter_map(|line| line.for_address.as_ref());
        for name in header.resent_from.iter().chain(&header.delivered_to).chain(hops) {
            keep_name(&mut found, name);
        }
    }
    found.retain(|name| {
        !transaction
            .forward_paths
            .iter()
            .any(|path| lower_case(&path.address) == *name)
    });
    found
}

fn keep_name(found: &mut Vec<String>, name: &str) {
    if found.len() < MAX_NAMED {
        push_new(found, lower_case(name.trim_matches([' ', '<', '>'])).into_owned());
    }
}

/// True for a recipient that took the mail, or may have.
pub const fn counts(path: &ForwardPath) -> bool {
    path.accepted || path.reply_code.is_none()
}

fn push_new<T: PartialEq>(found: &mut Vec<T>, value: T) {
    if !found.contains(&value) {
        found.push(value);
    }
}
