//! Records as Python sees them: frozen objects that read their attributes out of the batch they came in.
//!
//! A record that Python does not look at costs one small object; each attribute is made when it is asked for. A record
//! keeps its batch alive.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use serde_json::value::RawValue;
use wire::anomaly::AnomalySet;
use wire::message::{Header as HeaderFacts, MessageFacts};
use wire::record::community_id::community_id;
use wire::record::event::{Event, FlowId, SessionFacts};
use wire::record::json::{self, Origin};

use crate::events::EventList;
use crate::tally::Tally;

/// Registers every class of this file.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Batch>()?;
    module.add_class::<Events>()?;
    module.add_class::<Transaction>()?;
    module.add_class::<TlsSession>()?;
    module.add_class::<Flow>()?;
    module.add_class::<Session>()?;
    module.add_class::<ForwardPath>()?;
    module.add_class::<Reply>()?;
    module.add_class::<Header>()?;
    module.add_class::<KeptField>()?;
    module.add_class::<Received>()?;
    module.add_class::<Attachment>()?;
    module.add_class::<Completeness>()?;
    Ok(())
}

pub type Shared = Arc<EventList>;

/// Events in the order in which they became known.
#[pyclass(frozen, module = "sensor._core")]
pub struct Batch {
    pub(crate) events: Shared,
}

impl Batch {
    /// A batch of *events*.
    pub fn of(events: EventList) -> Self {
        Self {
            events: Arc::new(events),
        }
    }
}

#[pymethods]
impl Batch {
    fn __len__(&self) -> usize {
        self.events.len()
    }

    fn __iter__(&self) -> Events {
        Events {
            events: Arc::clone(&self.events),
            next: 0,
        }
    }

    #[pyo3(signature = (*, classify_all))]
    fn tally(&self, py: Python<'_>, classify_all: bool) -> PyResult<Tally> {
        Tally::draw(py, &self.events, classify_all)
    }

    /// The whole batch as JSON Lines. *forwardings* maps an index to its `forwarding` block; the others get the default.
    #[pyo3(signature = (forwardings, default_forwarding, *, sensor, tap))]
    fn to_json_lines<'py>(
        &self,
        py: Python<'py>,
        forwardings: HashMap<usize, Vec<u8>>,
        default_forwarding: Vec<u8>,
        sensor: String,
        tap: String,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let events = Arc::clone(&self.events);
        if let Some(index) = forwardings.keys().find(|index| **index >= events.len()) {
            return Err(PyValueError::new_err(format!(
                "no event {index} in a batch of {}",
                events.len()
            )));
        }
        let lines = py.detach(move || lines(&events, &forwardings, &default_forwarding, &sensor, &tap));
        lines
            .map(|lines| PyBytes::new(py, &lines))
            .map_err(PyValueError::new_err)
    }
}

fn lines(
    events: &[Event],
    forwardings: &HashMap<usize, Vec<u8>>,
    default_forwarding: &[u8],
    sensor: &str,
    tap: &str,
) -> Result<Vec<u8>, String> {
    let origin = Origin { sensor, tap };
    let default = block(default_forwarding)?;
    let mut out = Vec::with_capacity(events.len() * 1_536);
    for (index, event) in events.iter().enumerate() {
        let own = forwardings
            .get(&index)
            .map(|forwarding| block(forwarding))
            .transpose()?;
        json::write_line(&mut out, event, origin, own.as_deref().unwrap_or(&default))
            .map_err(|error| error.to_string())?;
    }
    Ok(out)
}

/// A `forwarding` block: checked to be one JSON object, printed as it stands.
fn block(octets: &[u8]) -> Result<Box<RawValue>, String> {
    let text = std::str::from_utf8(octets).map_err(|error| format!("a forwarding block is not UTF-8: {error}"))?;
    let value: Box<RawValue> =
        serde_json::from_str(text).map_err(|error| format!("a forwarding block is not JSON: {error}"))?;
    if value.get().starts_with('{') {
        Ok(value)
    } else {
        Err("a forwarding block is not a JSON object".to_owned())
    }
}

/// Iterates over a batch.
#[pyclass(module = "sensor._core")]
pub struct Events {
    events: Shared,
    next: usize,
}

#[pymethods]
impl Events {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let index = self.next;
        let Some(event) = self.events.get(index) else {
            return Ok(None);
        };
        self.next += 1;
        let events = Arc::clone(&self.events);
        let object = match event {
            Event::Transaction(_) => Py::new(py, Transaction { events, index })?.into_any(),
            Event::Session(_) => Py::new(py, TlsSession { events, index })?.into_any(),
        };
        Ok(Some(object))
    }
}

/// One mail transaction.
#[pyclass(frozen, module = "sensor._core")]
pub struct Transaction {
    events: Shared,
    index: usize,
}

impl Transaction {
    /// The transaction at *index* of a batch.
    pub fn of(events: Shared, index: usize) -> Self {
        Self { events, index }
    }

    /// A transaction on its own.
    pub fn alone(transaction: wire::record::event::Transaction) -> Self {
        Self {
            events: Arc::new(vec![Event::Transaction(Box::new(transaction))].into()),
            index: 0,
        }
    }

    fn facts(&self) -> PyResult<&wire::record::event::Transaction> {
        match self.events.get(self.index) {
            Some(Event::Transaction(transaction)) => Ok(transaction),
            _ => Err(PyIndexError::new_err("not a transaction")),
        }
    }

    fn message(&self) -> PyResult<Option<&MessageFacts>> {
        Ok(self.facts()?.message.as_deref())
    }
}

#[pymethods]
impl Transaction {
    #[getter]
    fn id(&self) -> PyResult<String> {
        Ok(json::transaction_id(self.facts()?))
    }
    #[getter]
    fn started_at_ns(&self) -> PyResult<i64> {
        Ok(self.facts()?.started_at.0)
    }
    #[getter]
    fn ended_at_ns(&self) -> PyResult<i64> {
        Ok(self.facts()?.ended_at.0)
    }
    #[getter]
    fn flow(&self) -> PyResult<Flow> {
        Ok(Flow {
            flow: self.facts()?.flow,
        })
    }
    #[getter]
    fn session(&self) -> PyResult<Session> {
        Ok(Session {
            facts: self.facts()?.session.clone(),
        })
    }
    #[getter]
    fn reverse_path(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.reverse_path.as_deref())
    }
    #[getter]
    fn reverse_path_params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parameters = PyDict::new(py);
        for (name, value) in &self.facts()?.reverse_path_params {
            if !parameters.contains(name)? {
                parameters.set_item(name, value)?;
            }
        }
        Ok(parameters)
    }
    #[getter]
    fn forward_paths<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let paths = self.facts()?.forward_paths.len();
        let views = (0..paths).map(|place| ForwardPath {
            events: Arc::clone(&self.events),
            index: self.index,
            place,
        });
        PyList::new(py, views.map(|view| Py::new(py, view)).collect::<PyResult<Vec<_>>>()?)
    }
    #[getter]
    fn outcome(&self) -> PyResult<&'static str> {
        Ok(self.facts()?.outcome.name())
    }
    #[getter]
    fn reply(&self) -> PyResult<Option<Reply>> {
        Ok(self.facts()?.reply.clone().map(|reply| Reply {
            code: reply.code,
            enhanced: reply.enhanced,
            text: reply.text,
        }))
    }
    #[getter]
    fn size_octets(&self) -> PyResult<Option<u64>> {
        Ok(self.message()?.and_then(MessageFacts::transferred_octets))
    }
    #[getter]
    fn header(&self) -> PyResult<Option<Header>> {
        Ok(self.message()?.map(|_| Header {
            events: Arc::clone(&self.events),
            index: self.index,
        }))
    }
    #[getter]
    fn fields(&self) -> PyResult<Vec<KeptField>> {
        let fields = self.message()?.map_or(&[][..], |message| &message.fields);
        Ok(fields.iter().map(|field| KeptField { field: field.clone() }).collect())
    }
    #[getter]
    fn received(&self) -> PyResult<Vec<Received>> {
        let lines = self.message()?.map_or(&[][..], |message| &message.received);
        Ok(lines.iter().map(|line| Received { line: line.clone() }).collect())
    }
    #[getter]
    fn attachments(&self) -> PyResult<Vec<Attachment>> {
        let attachments = self.message()?.map_or(&[][..], |message| &message.body.attachments);
        Ok(attachments
            .iter()
            .map(|attachment| Attachment {
                attachment: attachment.clone(),
            })
            .collect())
    }
    #[getter]
    fn attached_messages(&self) -> PyResult<u32> {
        Ok(self.message()?.map_or(0, |message| message.body.attached_messages))
    }
    #[getter]
    fn content_type(&self) -> PyResult<Option<&str>> {
        Ok(self.message()?.map(|message| message.body.content_type.as_str()))
    }
    #[getter]
    fn report_type(&self) -> PyResult<Option<&str>> {
        Ok(self.message()?.and_then(|message| message.body.report_type.as_deref()))
    }
    #[getter]
    fn calendar_method(&self) -> PyResult<Option<&str>> {
        Ok(self
            .message()?
            .and_then(|message| message.body.calendar_method.as_deref()))
    }
    #[getter]
    fn body_digest(&self) -> PyResult<Option<&str>> {
        Ok(self.message()?.and_then(|message| message.body.digest.as_deref()))
    }
    #[getter]
    fn body_octets(&self) -> PyResult<u64> {
        Ok(self.message()?.map_or(0, |message| message.body.octets))
    }
    #[getter]
    fn body_marks(&self) -> PyResult<Vec<u32>> {
        Ok(self
            .message()?
            .map_or_else(Vec::new, |message| message.body.marks.clone()))
    }
    #[getter]
    fn labelled_marks(&self) -> PyResult<Vec<u32>> {
        Ok(self
            .message()?
            .map_or_else(Vec::new, |message| message.body.labelled_marks.clone()))
    }
    #[getter]
    fn label_languages(&self) -> PyResult<Vec<u32>> {
        Ok(self
            .message()?
            .map_or_else(Vec::new, |message| message.body.label_languages.clone()))
    }
    #[getter]
    fn reported_addresses(&self) -> PyResult<Vec<String>> {
        Ok(self
            .message()?
            .map_or_else(Vec::new, |message| message.body.reported_addresses.clone()))
    }
    #[getter]
    fn touched(&self) -> PyResult<bool> {
        Ok(self.facts()?.touched)
    }
    #[getter]
    fn completeness(&self) -> PyResult<Completeness> {
        Ok(Completeness {
            facts: self.facts()?.completeness,
        })
    }
    #[getter]
    fn anomalies(&self) -> PyResult<Vec<&'static str>> {
        Ok(slugs(self.facts()?.anomalies))
    }
    fn __repr__(&self) -> PyResult<String> {
        let facts = self.facts()?;
        Ok(format!(
            "<Transaction {} {:?} {}>",
            json::transaction_id(facts),
            facts.reverse_path,
            facts.outcome.name()
        ))
    }
}

/// A session that turned to TLS.
#[pyclass(frozen, module = "sensor._core")]
pub struct TlsSession {
    events: Shared,
    index: usize,
}

impl TlsSession {
    fn facts(&self) -> PyResult<&wire::record::event::TlsSession> {
        match self.events.get(self.index) {
            Some(Event::Session(session)) => Ok(session),
            _ => Err(PyIndexError::new_err("not a session")),
        }
    }
}

#[pymethods]
impl TlsSession {
    #[getter]
    fn id(&self) -> PyResult<String> {
        Ok(json::session_id(self.facts()?))
    }
    #[getter]
    fn started_at_ns(&self) -> PyResult<i64> {
        Ok(self.facts()?.started_at.0)
    }
    #[getter]
    fn ended_at_ns(&self) -> PyResult<i64> {
        Ok(self.facts()?.ended_at.0)
    }
    #[getter]
    fn flow(&self) -> PyResult<Flow> {
        Ok(Flow {
            flow: self.facts()?.flow,
        })
    }
    #[getter]
    fn session(&self) -> PyResult<Session> {
        Ok(Session {
            facts: self.facts()?.session.clone(),
        })
    }
    #[getter]
    fn tls_start(&self) -> PyResult<&'static str> {
        Ok(self.facts()?.tls_start)
    }
    #[getter]
    fn sni(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.sni.as_deref())
    }
    #[getter]
    fn client_octets(&self) -> PyResult<u64> {
        Ok(self.facts()?.client_octets)
    }
    #[getter]
    fn server_octets(&self) -> PyResult<u64> {
        Ok(self.facts()?.server_octets)
    }
    #[getter]
    fn completeness(&self) -> PyResult<Completeness> {
        Ok(Completeness {
            facts: self.facts()?.completeness,
        })
    }
    #[getter]
    fn anomalies(&self) -> PyResult<Vec<&'static str>> {
        Ok(slugs(self.facts()?.anomalies))
    }
}

/// Client and server of a session.
#[pyclass(frozen, module = "sensor._core")]
pub struct Flow {
    flow: FlowId,
}

#[pymethods]
impl Flow {
    #[getter]
    fn community_id(&self) -> String {
        community_id(self.flow.client, self.flow.server)
    }
    #[getter]
    fn src_ip(&self) -> String {
        self.flow.client.address.to_string()
    }
    #[getter]
    fn src_port(&self) -> u16 {
        self.flow.client.port
    }
    #[getter]
    fn dst_ip(&self) -> String {
        self.flow.server.address.to_string()
    }
    #[getter]
    fn dst_port(&self) -> u16 {
        self.flow.server.port
    }
}

/// What is known of the session a record belongs to.
#[pyclass(frozen, module = "sensor._core")]
pub struct Session {
    facts: SessionFacts,
}

#[pymethods]
impl Session {
    #[getter]
    fn protocol(&self) -> Option<&'static str> {
        self.facts.protocol.map(wire::record::event::Protocol::name)
    }
    #[getter]
    fn helo(&self) -> Option<&str> {
        self.facts.helo.as_deref()
    }
    #[getter]
    fn auth_user(&self) -> Option<&str> {
        self.facts.auth_user.as_deref()
    }
    #[getter]
    fn tls(&self) -> bool {
        self.facts.tls
    }
    #[getter]
    fn client_ip(&self) -> Option<String> {
        self.facts.client_ip.map(|ip| ip.to_string())
    }
    #[getter]
    fn transaction_index(&self) -> u32 {
        self.facts.transaction_index
    }
}

/// One RCPT with its own verdict.
#[pyclass(frozen, module = "sensor._core")]
pub struct ForwardPath {
    events: Shared,
    index: usize,
    place: usize,
}

impl ForwardPath {
    fn facts(&self) -> PyResult<&wire::record::event::ForwardPath> {
        match self.events.get(self.index) {
            Some(Event::Transaction(transaction)) => transaction.forward_paths.get(self.place),
            _ => None,
        }
        .ok_or_else(|| PyIndexError::new_err("no such recipient"))
    }
}

#[pymethods]
impl ForwardPath {
    #[getter]
    fn address(&self) -> PyResult<&str> {
        Ok(&self.facts()?.address)
    }
    #[getter]
    fn reply_code(&self) -> PyResult<Option<u16>> {
        Ok(self.facts()?.reply_code)
    }
    #[getter]
    fn accepted(&self) -> PyResult<bool> {
        Ok(self.facts()?.accepted)
    }
    #[getter]
    fn orcpt(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.orcpt.as_deref())
    }
}

/// The reply that decided a transaction.
#[pyclass(frozen, module = "sensor._core", get_all)]
pub struct Reply {
    code: u16,
    enhanced: Option<String>,
    text: String,
}

/// The common header fields.
#[pyclass(frozen, module = "sensor._core")]
pub struct Header {
    events: Shared,
    index: usize,
}

impl Header {
    fn facts(&self) -> PyResult<&HeaderFacts> {
        match self.events.get(self.index) {
            Some(Event::Transaction(transaction)) => transaction.message.as_deref().map(|message| &message.header),
            _ => None,
        }
        .ok_or_else(|| PyIndexError::new_err("no header section"))
    }
}

#[pymethods]
impl Header {
    #[getter]
    fn message_id(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.message_id.as_deref())
    }
    #[getter]
    fn from_(&self) -> PyResult<Vec<&str>> {
        Ok(texts(&self.facts()?.from))
    }
    #[getter]
    fn sender(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.sender.as_deref())
    }
    #[getter]
    fn to(&self) -> PyResult<Vec<&str>> {
        Ok(texts(&self.facts()?.to))
    }
    #[getter]
    fn cc(&self) -> PyResult<Vec<&str>> {
        Ok(texts(&self.facts()?.cc))
    }
    #[getter]
    fn reply_to(&self) -> PyResult<Vec<&str>> {
        Ok(texts(&self.facts()?.reply_to))
    }
    #[getter]
    fn subject(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.subject.as_deref())
    }
    #[getter]
    fn date(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.date.as_deref())
    }
    #[getter]
    fn in_reply_to(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.in_reply_to.as_deref())
    }
    #[getter]
    fn references(&self) -> PyResult<Vec<&str>> {
        Ok(texts(&self.facts()?.references))
    }
    #[getter]
    fn resent_from(&self) -> PyResult<Vec<&str>> {
        Ok(texts(&self.facts()?.resent_from))
    }
    #[getter]
    fn delivered_to(&self) -> PyResult<Vec<&str>> {
        Ok(texts(&self.facts()?.delivered_to))
    }
    #[getter]
    fn list_id(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.list_id.as_deref())
    }
    #[getter]
    fn auto_submitted(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.auto_submitted.as_deref())
    }
    #[getter]
    fn received_count(&self) -> PyResult<u32> {
        Ok(self.facts()?.received_count)
    }
    #[getter]
    fn thread_topic(&self) -> PyResult<Option<&str>> {
        Ok(self.facts()?.thread_topic.as_deref())
    }
}

/// A header field kept raw because the artifact table names it.
#[pyclass(frozen, module = "sensor._core")]
pub struct KeptField {
    field: wire::message::KeptField,
}

#[pymethods]
impl KeptField {
    #[getter]
    fn name(&self) -> &str {
        &self.field.name
    }
    #[getter]
    fn value(&self) -> &str {
        &self.field.value
    }
    #[getter]
    fn position(&self) -> u32 {
        self.field.position
    }
    #[getter]
    fn received_above(&self) -> u32 {
        self.field.received_above
    }
}

/// One Received line.
#[pyclass(frozen, module = "sensor._core")]
pub struct Received {
    line: wire::message::Received,
}

#[pymethods]
impl Received {
    #[getter]
    fn from_(&self) -> Option<&str> {
        self.line.from.as_deref()
    }
    #[getter(from_ip)]
    fn ip_in_from(&self) -> Option<&str> {
        self.line.from_ip.as_deref()
    }
    #[getter]
    fn by(&self) -> Option<&str> {
        self.line.by.as_deref()
    }
    #[getter]
    fn with_(&self) -> Option<&str> {
        self.line.with.as_deref()
    }
    #[getter]
    fn id(&self) -> Option<&str> {
        self.line.id.as_deref()
    }
    #[getter]
    fn for_address(&self) -> Option<&str> {
        self.line.for_address.as_deref()
    }
    #[getter]
    fn date(&self) -> Option<&str> {
        self.line.date.as_deref()
    }
    #[getter]
    fn position(&self) -> u32 {
        self.line.position
    }
}

/// One attachment.
#[pyclass(frozen, module = "sensor._core")]
pub struct Attachment {
    attachment: wire::message::Attachment,
}

#[pymethods]
impl Attachment {
    #[getter]
    fn filename(&self) -> Option<&str> {
        self.attachment.filename.as_deref()
    }
    #[getter]
    fn content_type(&self) -> &str {
        &self.attachment.content_type
    }
    #[getter]
    fn size_octets(&self) -> u64 {
        self.attachment.size_octets
    }
}

/// What was not seen of a record.
#[pyclass(frozen, module = "sensor._core")]
pub struct Completeness {
    facts: wire::record::event::Completeness,
}

#[pymethods]
impl Completeness {
    #[getter]
    fn missing_octets(&self) -> u64 {
        self.facts.missing_octets
    }
    #[getter]
    fn one_sided(&self) -> bool {
        self.facts.one_sided
    }
    #[getter]
    fn midstream(&self) -> bool {
        self.facts.midstream
    }
    #[getter]
    fn truncated(&self) -> bool {
        self.facts.truncated
    }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn slugs(anomalies: AnomalySet) -> Vec<&'static str> {
    anomalies.iter().map(wire::anomaly::Anomaly::slug).collect()
}
