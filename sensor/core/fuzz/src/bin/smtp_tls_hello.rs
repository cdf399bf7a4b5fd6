//! Anything as the start of TLS: the same server name however it was cut.
#![no_main]

use core_fuzz::pieces;
use libfuzzer_sys::fuzz_target;
use wire::smtp::tls::{looks_like_hello, HelloReader};

fuzz_target!(|octets: &[u8]| {
    let name = |cut| {
        let mut reader = HelloReader::default();
        pieces(octets, cut).find_map(|piece| reader.feed(piece))
    };
    let whole = name(0);
    assert!(whole.is_none() || looks_like_hello(octets) || octets.first() == Some(&22));
    assert_eq!(name(1), whole);
});
