//! Anything as XCLIENT attributes, and as the start of a stream that may hold a PROXY header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::smtp::origin::{preamble, Origin, Preamble};

fuzz_target!(|octets: &[u8]| {
    let _ = Origin::parse_attributes(octets);
    match preamble(octets) {
        Preamble::Proxy { used, .. } | Preamble::Malformed { used } => assert!(0 < used && used <= octets.len()),
        Preamble::NeedMore => assert!(octets.len() < 16 + 65_536),
        Preamble::None => assert!(!octets.is_empty()),
    }
});
