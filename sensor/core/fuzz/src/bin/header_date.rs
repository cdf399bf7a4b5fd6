//! Any octets as a date: what comes out is RFC 3339.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::header::date::parse;

fuzz_target!(|octets: &[u8]| {
    if let Some(date) = parse(octets, &mut AnomalySet::default()) {
        let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert!(
            [
                "9999-99-99T99:99:99Z",
                "9999-99-99T99:99:99+99:99",
                "9999-99-99T99:99:99-99:99"
            ]
            .contains(&shape.as_str()),
            "{date}"
        );
    }
});
