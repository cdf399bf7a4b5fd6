//! Any octets as an address list.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::header::address::{bare, first, list};

const MOST: usize = 5;

fuzz_target!(|octets: &[u8]| {
    let (mut addresses, mut anomalies) = (Vec::new(), AnomalySet::default());
    list(octets, MOST, &mut addresses, &mut anomalies);
    assert!(addresses.len() <= MOST);
    assert!(addresses.iter().all(|address| !address.is_empty()));
    let _ = bare(octets);
    if let Some(only) = first(octets, &mut anomalies) {
        // A full list stops inside an element, whose addresses may have been a display name.
        assert!(addresses.len() == MOST || addresses.first() == Some(&only));
    }
});
