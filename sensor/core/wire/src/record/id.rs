//! Deterministic identifiers of records: the same capture gives the same ones, every run.

use std::net::IpAddr;

use xxhash_rust::xxh3::Xxh3;

use super::event::FlowId;

/// Identifier of record *index* of the kind *kind* on *flow*: 32 hex digits.
///
/// Made of the flow's two ends, the packet time of its first segment and the index, so that two uses of one 5-tuple differ
/// and a replay does not. A fast hash will do: the identifier names a record, it proves nothing.
#[must_use]
pub fn record_id(flow: &FlowId, kind: &str, index: u32) -> String {
    let mut hash = Xxh3::new();
    for end in [flow.client, flow.server] {
        match end.address {
            IpAddr::V4(address) => hash.update(&address.octets()),
            IpAddr::V6(address) => hash.update(&address.octets()),
        }
        hash.update(&end.port.to_be_bytes());
    }
    hash.update(&flow.started_at.0.to_be_bytes());
    hash.update(kind.as_bytes());
    hash.update(&index.to_be_bytes());
    format!("{:032x}", hash.digest128())
}
