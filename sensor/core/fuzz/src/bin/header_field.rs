//! Any value for any parsed field.
#![no_main]

use core_fuzz::INTEREST;
use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::header::{parse_section, trace};
use wire::limits::Limits;

const NAMES: &[&str] = &[
    "Message-ID",
    "From",
    "Sender",
    "Subject",
    "In-Reply-To",
    "References",
    "Resent-From",
    "Delivered-To",
    "List-Id",
    "Auto-Submitted",
    "Received",
    "Thread-Topic",
    "X-Forwarded-To",
];

fuzz_target!(|octets: &[u8]| {
    let Some((choice, value)) = octets.split_first() else {
        return;
    };
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let section = [name.as_bytes(), b":", value, b"\r\n"].concat();
    let facts = parse_section(&section, &INTEREST, &Limits::default());
    if name == "Received" {
        let received = trace(&section, &Limits::default(), &mut AnomalySet::default());
        assert_eq!(received.len() as u32, facts.header.received_count);
    }
});
