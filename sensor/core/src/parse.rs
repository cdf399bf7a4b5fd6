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
use wire::tcp::segment::Endpoint;

use crate::convert::Transaction;
use crate::interest::{limits_with, Interest};

/// A mail as a Transaction of outcome "delivered": see `sensor/_core.pyi`.
#[pyfunction]
#[pyo3(
    signature = (content, interest, *, reverse_path = None, forward_paths = Vec::new(), limits = None),
    text_signature = "(content, interest, *, reverse_path=None, forward_paths=(), limits=None)"
)]
pub fn parse_message(
    py: Python<'_>,
    content: &[u8],
    interest: &Interest,
    reverse_path: Option<&str>,
    forward_paths: Vec<String>,
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
        let (message, touched) = reader.finish(marked, &interest, &limits, &mut counters);
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
                helo: None,
                auth_user: None,
                tls: false,
                client_ip: None,
                transaction_index: 0,
            },
            reverse_path,
            reverse_path_params: Vec::new(),
            forward_paths: forward_paths
                .iter()
                .map(|path| ForwardPath {
                    address: bare(path.as_bytes()),
                    reply_code: None,
                    accepted: true,
                    orcpt: None,
                })
                .collect(),
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
