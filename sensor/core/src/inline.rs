//! Mail that passes through somebody's hands, as Python sees it: `wire::inline` with Python's types.
//!
//! The GIL is kept: a feed takes a microsecond or a few, and others gain nothing in that time (`benchmarks/inline_core.py`).
//! The lock is held by code alone that knows no Python, so nobody waits for it with what its holder needs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use wire::frame::Timestamp;
use wire::inline::mail::{KnownEnvelope, KnownPath, MailEnd};
use wire::inline::{InlineError, Speaker};
use wire::record::event::{FlowId, Outcome, Protocol, Reply};
use wire::tcp::segment::Endpoint;

use crate::convert::{Batch, Transaction};
use crate::interest::{limits_with, Interest};
use crate::reading::lock;

/// Sessions and mails in line: see `sensor/_core.pyi`.
#[pyclass(frozen, module = "sensor._core")]
pub struct Inline {
    inner: Mutex<wire::inline::Inline>,
}

/// What became of octets that a session was fed.
pub enum Fed {
    Seen,
    /// The session is not open any more.
    Closed,
    /// The core failed on them.
    Failed,
}

impl Inline {
    /// Feeds a session for somebody to whom mail goes on, whatever comes of it.
    pub fn fed(&self, session: u64, octets: &[u8], by: Speaker, at: Timestamp) -> Fed {
        match self.attempt(|inner| inner.feed(session, octets, by, at)) {
            Some(Ok(())) => Fed::Seen,
            Some(Err(_)) => Fed::Closed,
            None => Fed::Failed,
        }
    }

    /// Does *act*. Should it panic, that is an error like others: whoever passes mail on survives a defect of ours.
    fn with<T>(&self, act: impl FnOnce(&mut wire::inline::Inline) -> Result<T, InlineError>) -> PyResult<T> {
        match self.attempt(act) {
            Some(done) => done.map_err(refused),
            None => Err(PyRuntimeError::new_err(
                "the core failed on this mail; this is a defect of the sensor, please report it",
            )),
        }
    }

    /// What *act* returned; none if it panicked.
    fn attempt<T>(&self, act: impl FnOnce(&mut wire::inline::Inline) -> T) -> Option<T> {
        let mut inner = lock(&self.inner);
        catch_unwind(AssertUnwindSafe(|| act(&mut inner))).ok()
    }
}

#[pymethods]
impl Inline {
    #[new]
    #[pyo3(signature = (interest, *, limits = None))]
    fn new(interest: &Interest, limits: Option<HashMap<String, usize>>) -> PyResult<Self> {
        let limits = limits_with(limits)?;
        let inner = wire::inline::Inline::new(Arc::clone(&interest.inner), limits);
        Ok(Self {
            inner: Mutex::new(inner),
        })
    }

    #[pyo3(signature = (*, client, server, at_ns))]
    fn open(&self, client: Peer, server: Peer, at_ns: i64) -> PyResult<u64> {
        let (client, server) = (endpoint(Some(client))?, endpoint(Some(server))?);
        self.with(|inner| inner.open(client, server, Timestamp(at_ns)))
    }

    #[pyo3(signature = (session, data, *, from_client, at_ns))]
    fn feed(&self, session: u64, data: Octets<'_>, from_client: bool, at_ns: i64) -> PyResult<()> {
        let by = if from_client { Speaker::Client } else { Speaker::Server };
        self.with(|inner| inner.feed(session, &data.0, by, Timestamp(at_ns)))
    }

    #[pyo3(signature = (session, *, at_ns))]
    fn secured(&self, session: u64, at_ns: i64) -> PyResult<()> {
        self.with(|inner| inner.secured(session, Timestamp(at_ns)))
    }

    fn provisional(&self, session: u64) -> PyResult<Option<Transaction>> {
        let transaction = self.with(|inner| inner.provisional(session))?;
        Ok(transaction.map(Transaction::alone))
    }

    #[pyo3(signature = (session, *, at_ns, reset = false))]
    fn close(&self, session: u64, at_ns: i64, reset: bool) -> PyResult<()> {
        let _ = reset; // as on the wire, a session that was reset is recorded like one that was closed
        self.with(|inner| inner.close(session, Timestamp(at_ns)))
    }

    #[allow(clippy::too_many_arguments)] // each is a keyword of its own in Python
    #[pyo3(signature = (*, at_ns, client = None, server = None, session_at_ns = None, protocol = None, helo = None,
        auth_user = None, tls = false, client_ip = None, transaction_index = 0, reverse_path = None,
        reverse_path_params = Vec::new(), forward_paths = Vec::new()),
        text_signature = "($self, *, at_ns, client=None, server=None, session_at_ns=None, protocol=None, helo=None, auth_user=None, tls=False, client_ip=None, transaction_index=0, reverse_path=None, reverse_path_params=(), forward_paths=())")]
    fn begin(
        &self,
        at_ns: i64,
        client: Option<Peer>,
        server: Option<Peer>,
        session_at_ns: Option<i64>,
        protocol: Option<&str>,
        helo: Option<Text>,
        auth_user: Option<Text>,
        tls: bool,
        client_ip: Option<&str>,
        transaction_index: u32,
        reverse_path: Option<Text>,
        reverse_path_params: Vec<(Text, Option<Text>)>,
        forward_paths: Vec<GivenPath>,
    ) -> PyResult<u64> {
        let text = |text: Option<Text>| text.map(|text| text.0);
        let envelope = KnownEnvelope {
            flow: FlowId {
                client: endpoint(client)?,
                server: endpoint(server)?,
                started_at: Timestamp(session_at_ns.unwrap_or(at_ns)),
            },
            started_at: Timestamp(at_ns),
            protocol: protocol.map(protocol_of).transpose()?,
            helo: text(helo),
            auth_user: text(auth_user),
            tls,
            client_ip: client_ip.map(address).transpose()?,
            transaction_index,
            reverse_path: text(reverse_path),
            parameters: reverse_path_params
                .into_iter()
                .map(|(name, value)| (name.0, text(value)))
                .collect(),
            forward_paths: forward_paths.into_iter().map(path_of).collect(),
        };
        self.with(|inner| inner.begin(envelope))
    }

    fn content(&self, mail: u64, data: Octets<'_>) -> PyResult<()> {
        self.with(|inner| inner.content(mail, &data.0))
    }

    fn drafted(&self, mail: u64) -> PyResult<Transaction> {
        self.with(|inner| inner.drafted(mail)).map(Transaction::alone)
    }

    #[pyo3(signature = (mail, *, at_ns, outcome, reply = None, truncated = false))]
    fn end(
        &self,
        mail: u64,
        at_ns: i64,
        outcome: &str,
        reply: Option<(u16, Option<Text>, Text)>,
        truncated: bool,
    ) -> PyResult<()> {
        let end = MailEnd {
            at: Timestamp(at_ns),
            outcome: outcome_of(outcome)?,
            reply: reply.map(reply_of).transpose()?,
            truncated,
        };
        self.with(|inner| inner.end(mail, end))
    }

    fn take(&self) -> Batch {
        Batch::of(lock(&self.inner).take().into())
    }

    fn counters(&self) -> HashMap<&'static str, u64> {
        let counts = lock(&self.inner).counters().list();
        counts.into_iter().map(|(name, _, count)| (name, count)).collect()
    }

    fn anomalies(&self) -> HashMap<&'static str, u64> {
        let counts = lock(&self.inner).anomalies().list();
        counts.into_iter().map(|(slug, _, count)| (slug, count)).collect()
    }
}

/// An address, and a port where there is one.
type Peer = (String, Option<u16>);

/// A forward-path: address, code and enhanced code of the reply to RCPT, whether it was accepted, ORCPT.
type GivenPath = (Text, Option<u16>, Option<Text>, bool, Option<Text>);

/// Octets of `bytes` as they stand; of other buffers a copy, since whoever owns one may write to it.
pub struct Octets<'a>(Cow<'a, [u8]>);

impl Octets<'_> {
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Octets<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyBytes>() {
            return Ok(Self(Cow::Borrowed(FromPyObject::extract(object)?)));
        }
        let buffer = PyBuffer::<u8>::get(&object)?;
        Ok(Self(Cow::Owned(buffer.to_vec(object.py())?)))
    }
}

/// A text. Octets that were no UTF-8, and stand in it as lone surrogates (PEP 383), become U+FFFD as they do on the wire.
struct Text(String);

impl FromPyObject<'_, '_> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let text = object.cast::<PyString>()?;
        if let Ok(plain) = text.to_str() {
            return Ok(Self(plain.to_owned()));
        }
        let octets = text.call_method1("encode", ("utf-8", "surrogateescape"));
        let octets: PyResult<Vec<u8>> = octets.and_then(|octets| octets.extract());
        Ok(Self(match octets {
            Ok(octets) => String::from_utf8_lossy(&octets).into_owned(),
            Err(_) => text.to_string_lossy().into_owned(), // other surrogates stand for no octet
        }))
    }
}

fn refused(error: InlineError) -> PyErr {
    match error {
        InlineError::NoSession(_) | InlineError::NoMail(_) => PyValueError::new_err(error.to_string()),
        InlineError::Full => PyOverflowError::new_err(error.to_string()),
    }
}

/// Where it isn't known, all zero.
fn endpoint(peer: Option<Peer>) -> PyResult<Endpoint> {
    let Some((text, port)) = peer else {
        return Ok(Endpoint {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
        });
    };
    Ok(Endpoint {
        address: address(&text)?,
        port: port.unwrap_or(0),
    })
}

/// Without its zone; an IPv4 address that a socket for both shows as IPv6 is the IPv4 address it was on the wire.
fn address(text: &str) -> PyResult<IpAddr> {
    let without_zone = text.split_once('%').map_or(text, |(address, _)| address);
    let parsed: Result<IpAddr, _> = without_zone.parse();
    parsed
        .map(|address| address.to_canonical())
        .map_err(|_| PyValueError::new_err(format!("{text:?} is no IP address")))
}

fn protocol_of(name: &str) -> PyResult<Protocol> {
    let all = [Protocol::Smtp, Protocol::Esmtp, Protocol::Lmtp];
    let found = all.into_iter().find(|protocol| protocol.name() == name);
    found.ok_or_else(|| PyValueError::new_err(format!("{name:?} is no protocol: smtp, esmtp, lmtp")))
}

fn outcome_of(name: &str) -> PyResult<Outcome> {
    use Outcome::{Aborted, Deferred, Delivered, Rejected, Unknown};
    let found = [Delivered, Rejected, Deferred, Aborted, Unknown]
        .into_iter()
        .find(|outcome| outcome.name() == name);
    let problem = || format!("{name:?} is no outcome: delivered, rejected, deferred, aborted, unknown");
    found.ok_or_else(|| PyValueError::new_err(problem()))
}

fn path_of((address, reply_code, enhanced, accepted, orcpt): GivenPath) -> KnownPath {
    KnownPath {
        address: address.0,
        reply_code,
        enhanced: enhanced.map(|text| text.0),
        accepted,
        orcpt: orcpt.map(|text| text.0),
    }
}

fn reply_of((code, enhanced, text): (u16, Option<Text>, Text)) -> PyResult<Reply> {
    if !(200..600).contains(&code) {
        return Err(PyValueError::new_err(format!("{code} is no reply code: 200 to 599")));
    }
    Ok(Reply {
        code,
        enhanced: enhanced.map(|text| text.0),
        text: text.0,
    })
}
