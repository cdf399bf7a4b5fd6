//! Any octets as a header section: facts within bounds.
#![no_main]

use core_fuzz::{check_message, small_limits, INTEREST};
use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::header::{parse_section, trace};
use wire::message::MessageFacts;

fuzz_target!(|section: &[u8]| {
    let limits = small_limits();
    let facts = parse_section(section, &INTEREST, &limits);
    let message = MessageFacts {
        header: facts.header,
        fields: facts.fields,
        received: trace(section, &limits, &mut AnomalySet::default()),
        ..MessageFacts::default()
    };
    check_message(&message, &limits);
});
