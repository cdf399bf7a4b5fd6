//! Any octets as unstructured text with encoded-words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::header::encoded_word::decode_text;

fuzz_target!(|octets: &[u8]| {
    let mut anomalies = AnomalySet::default();
    let text = decode_text(octets, &mut anomalies);
    // The worst charset makes three octets of text out of one octet.
    assert!(text.len() <= octets.len() * 3);
});
