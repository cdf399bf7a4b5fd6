//! What the Python pipeline needs to know of a batch, drawn in one go: see `sensor/tally.py`, which does the same slowly.

use std::borrow::Cow;
use std::sync::Arc;

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use wire::frame::Timestamp;
use wire::record::event::{Event, Outcome, TlsSession, Transaction};

use crate::convert::{self, Shared};
use crate::trace::Trace;

const OUTCOMES: [Outcome; 5] = [
    Outcome::Delivered,
    Outcome::Rejected,
    Outcome::Deferred,
    Outcome::Aborted,
    Outcome::Unknown,
];

/// Counts of a batch and its mails: see `sensor/_core.pyi`.
#[pyclass(frozen, module = "sensor._core")]
pub struct Tally {
    events: Shared,
    #[pyo3(get)]
    outcomes: Py<PyDict>,
    #[pyo3(get)]
    incomplete: u64,
    #[pyo3(get)]
    missing_octets: u64,
    #[pyo3(get)]
    one_sided: u64,
    #[pyo3(get)]
    tls_sessions: u64,
    #[pyo3(get)]
    tls_octets: u64,
    #[pyo3(get)]
    first_seen_ns: Option<i64>,
    #[pyo3(get)]
    last_seen_ns: Option<i64>,
    #[pyo3(get)]
    mails: Py<PyList>,
}

#[pymethods]
impl Tally {
    #[getter(events)]
    fn count_of_events(&self) -> usize {
        self.events.len()
    }

    fn transaction(&self, index: usize) -> PyResult<convert::Transaction> {
        match self.events.get(index) {
            Some(Event::Transaction(_)) => Ok(convert::Transaction::of(Arc::clone(&self.events), index)),
            _ => Err(PyIndexError::new_err(format!("event {index} is no transaction"))),
        }
    }

    fn sessions(&self, start: usize, stop: usize) -> Vec<(i64, u64, u64)> {
        let seen = self.events.get(start..stop.min(self.events.len())).unwrap_or_default();
        let mut hours: Vec<(i64, u64, u64)> = Vec::new();
        for (hour, clear, tls) in seen.iter().filter_map(session_seen) {
            match hours.last_mut() {
                Some(last) if last.0 == hour => *last = (hour, last.1 + clear, last.2 + tls),
                _ => hours.push((hour, clear, tls)),
            }
        }
        hours
    }
}

impl Tally {
    /// The tally of *events*, with *classify_all* to classify every transaction.
    pub fn draw(py: Python<'_>, events: &Shared, classify_all: bool) -> PyResult<Self> {
        let mut counts = Counts::default();
        let mails = PyList::empty(py);
        for (index, (event, facts)) in events.iter().zip(events.take_facts()).enumerate() {
            match (event, facts) {
                (Event::Transaction(transaction), Some(facts)) => {
                    counts.transaction(transaction);
                    let taken = was_taken(transaction);
                    let classified = classify_all || transaction.touched;
                    if taken || classified {
                        let sender = facts.sender.as_ref().map(|path| PyString::new(py, path));
                        let recipients = PyList::new(py, facts.recipients.iter().map(|path| PyString::new(py, path)))?;
                        let trace = Trace::from(facts);
                        let view = classified.then(|| convert::Transaction::of(Arc::clone(events), index));
                        mails.append((index, taken, sender, recipients, view, trace))?;
                    }
                }
                (Event::Session(session), _) => counts.session(session),
                (Event::Transaction(_), None) => {}
            }
        }
        counts.into_tally(py, Arc::clone(events), mails)
    }
}

#[derive(Default)]
struct Counts {
    outcomes: [u64; OUTCOMES.len()],
    incomplete: u64,
    missing_octets: u64,
    one_sided: u64,
    tls_sessions: u64,
    tls_octets: u64,
    seen: Option<(Timestamp, Timestamp)>,
}

impl Counts {
    fn transaction(&mut self, transaction: &Transaction) {
        let completeness = transaction.completeness;
        self.outcomes[transaction.outcome as usize] += 1;
        self.missing_octets = self.missing_octets.saturating_add(completeness.missing_octets);
        let incomplete = completeness.missing_octets > 0 || completeness.truncated || completeness.midstream;
        self.incomplete += u64::from(incomplete);
        self.one_sided += u64::from(completeness.one_sided);
        self.see(transaction.started_at, transaction.ended_at);
    }

    fn session(&mut self, session: &TlsSession) {
        self.tls_sessions += 1;
        let octets = session.client_octets.saturating_add(session.server_octets);
        self.tls_octets = self.tls_octets.saturating_add(octets);
        self.see(session.started_at, session.ended_at);
    }

    fn see(&mut self, started_at: Timestamp, ended_at: Timestamp) {
        let (first, last) = self.seen.unwrap_or((started_at, ended_at));
        self.seen = Some((first.min(started_at), last.max(ended_at)));
    }

    fn into_tally(self, py: Python<'_>, events: Shared, mails: Bound<'_, PyList>) -> PyResult<Tally> {
        let outcomes = PyDict::new(py);
        for outcome in OUTCOMES {
            outcomes.set_item(outcome.name(), self.outcomes[outcome as usize])?;
        }
        Ok(Tally {
            events,
            outcomes: outcomes.unbind(),
            incomplete: self.incomplete,
            missing_octets: self.missing_octets,
            one_sided: self.one_sided,
            tls_sessions: self.tls_sessions,
            tls_octets: self.tls_octets,
            first_seen_ns: self.seen.map(|(first, _)| first.0),
            last_seen_ns: self.seen.map(|(_, last)| last.0),
            mails: mails.unbind(),
        })
    }
}

/// The hour in which a session was seen, and whether in clear or in TLS. Each of its mails is an event; the first counts.
fn session_seen(event: &Event) -> Option<(i64, u64, u64)> {
    match event {
        Event::Session(session) => Some((hour_of(session.ended_at), 0, 1)),
        Event::Transaction(mail) if mail.session.transaction_index == 0 => Some((hour_of(mail.ended_at), 1, 0)),
        Event::Transaction(_) => None,
    }
}

const fn hour_of(at: Timestamp) -> i64 {
    at.0.div_euclid(3_600_000_000_000)
}

/// True if a server took the mail, or may have: the deciding reply was lost.
const fn was_taken(transaction: &Transaction) -> bool {
    matches!(transaction.outcome, Outcome::Delivered | Outcome::Unknown)
}

/// *address* in lower case; nearly always it is so already.
pub fn lower_case(address: &str) -> Cow<'_, str> {
    if address
        .bytes()
        .all(|octet| octet.is_ascii() && !octet.is_ascii_uppercase())
    {
        Cow::Borrowed(address)
    } else {
        Cow::Owned(address.to_lowercase())
    }
}
