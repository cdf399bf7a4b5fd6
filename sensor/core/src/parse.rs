//! One mail, parsed by the header code that captured mail meets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use pyo3::prelude::*;
use wire::anomaly::AnomalySet;
use wire::content::ContentReader;
use wire::counters::Counters;
use wire::frame::Timestamp;
use wire::record::event::{Completeness, FlowId, ForwardPath, Outcome, SessionFacts, Transaction as Facts};
use wire::smtp::path::bare;
use wire::structure::Envelope;
use wire::tcp::segment::Endpoint;

use crate::convert::Transaction;
use crate::interest::{limits_with, Interest};

/// A mail as a Transaction of outcome "delivered": see `sensor/_core.pyi`.
#[pyfunction]
#[pyo3(
    signature = (content, interest, *, reverse_path = None, forward_paths = Vec::new(), orcpts = Vec::new(), helo = None, client_ip = None, limits = None),
    text_signature = "(content, interest, *, reverse_path=None, forward_paths=(), orcpts=(), helo=None, client_ip=None, limits=None)"
)]
#[allow(clippy::too_many_arguments)] // each is a keyword of its own in Python
pub fn parse_message(
    py: Python<'_>,
    content: &[u8],
    interest: &Interest,
    reverse_path: Option<&str>,
    forward_paths: Vec<String>,
    orcpts: Vec<Option<String>>,
    helo: Option<String>,
    client_ip: Option<IpAddr>,
    limits: Option<HashMap<String, usize>>,
) -> PyResult<Transaction> {
    let limits = limits_with(limits)?;
    let content = content.to_vec();
    let reverse_path = reverse_path.map(|path| bare(path.as_bytes()));
    let interest = std::sync::Arc::clone(&interest.inner);
    let facts = py.detach(move || {
        let mut counters = Counters::default();
        let mut reader = ContentReader::new(&limits);
        reader.feed(&content, &interest, &limits);
        let marked = reverse_path
            .as_ref()
            .is_some_and(|path| interest.marks_reverse_path(path.as_bytes()));
        let forward_paths = paths_of(&forward_paths, orcpts);
        let envelope = Envelope {
            touched: marked,
            reverse_path: reverse_path.as_deref(),
            forward_paths: &forward_paths,
        };
        let (message, touched) = reader.finish(&envelope, &interest, &limits, &mut counters);
        let anomalies: AnomalySet = message.anomalies;
        let nowhere = Endpoint {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
        };
        Facts {
            started_at: Timestamp(0),
            ended_at: Timestamp(0),
            flow: FlowId {
                client: nowhere,
                server: nowhere,
                started_at: Timestamp(0),
            },
            session: SessionFacts {
                protocol: None,
                helo,
                auth_user: None,
                tls: false,
                client_ip,
                transaction_index: 0,
            },
            reverse_path,
            reverse_path_params: Vec::new(),
            forward_paths,
            outcome: Outcome::Delivered,
            reply: None,
            message: Some(Box::new(message)),
            touched,
            completeness: Completeness::default(),
            anomalies,
        }
    });
    Ok(Transaction::alone(facts))
}

/// Accepted forward-paths, each with its ORCPT (RFC 3461 4.2) if there is one.
fn paths_of(forward_paths: &[String], orcpts: Vec<Option<String>>) -> Vec<ForwardPath> {
    let orcpts = orcpts.into_iter().chain(std::iter::repeat(None));
    forward_paths
        .iter()
        .zip(orcpts)
        .map(|(path, orcpt)| ForwardPath {
            address: bare(path.as_bytes()),
            reply_code: None,
            accepted: true,
            orcpt,
        })
        .collect()
}
