//! Community ID v1: the same identifier for a flow in every tool that computes it (corelight/community-id-spec).

use std::net::IpAddr;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use sha1::{Digest, Sha1};

use crate::tcp::segment::Endpoint;

const TCP: u8 = 6;
const SEED: u16 = 0;

/// Community ID of the TCP flow between *a* and *b*, whichever way round, with seed 0.
#[must_use]
pub fn community_id(a: Endpoint, b: Endpoint) -> String {
    let mut ends = [(octets(a.address), a.port), (octets(b.address), b.port)];
    // Ordered by address octets, then port.
    ends.sort();
    let [(low, low_port), (high, high_port)] = ends;
    let mut hash = Sha1::new();
    hash.update(SEED.to_be_bytes());
    hash.update(&low);
    hash.update(&high);
    hash.update([TCP, 0]);
    hash.update(low_port.to_be_bytes());
    hash.update(high_port.to_be_bytes());
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(address: &str, port: u16) -> Endpoint {
        Endpoint {
            address: address.parse().unwrap(),
            port,
        }
    }

    #[test]
    fn known_flows_get_their_known_identifier_either_way_round() {
        // Values of the reference implementation (corelight/pycommunityid) for these flows.
        for (a, b, expected) in [
            (
                end("128.232.110.120", 34_855),
                end("66.35.250.204", 80),
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                end("10.0.0.1", 10),
                end("10.0.0.1", 11),
                "1:rn3uVMy07GRldneZs+okbZAwWcU=",
            ),
            (
                end("2001:db8::1", 40_000),
                end("2001:db8::2", 25),
                "1:sWs/g/aiCKWSk0k3VFY0PL2HzU4=",
            ),
        ] {
            assert_eq!(community_id(a, b), expected);
            assert_eq!(community_id(b, a), expected);
        }
    }
}
