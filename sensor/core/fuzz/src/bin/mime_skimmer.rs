//! Any body, with losses: the same facts however it was cut.
#![no_main]

use core_fuzz::{pieces, small_limits, Choices, INTEREST};
use libfuzzer_sys::fuzz_target;
use wire::anomaly::AnomalySet;
use wire::limits::Limits;
use wire::message::BodyFacts;
use wire::mime::BodySkimmer;

const TYPES: &[&[u8]] = &[
    b"multipart/mixed; boundary=b",
    b"multipart/report; report-type=disposition-notification; boundary=\"--\"",
    b"text/plain; charset=utf-8",
    b"text/calendar; method=REQUEST",
    b"multipart/digest; boundary*0=\"b\"; boundary*1=\"c\"",
    b"message/rfc822",
    b"application/x; name*=utf-8''%e2%82%ac.pst",
];
const ENCODINGS: &[Option<&[u8]>] = &[
    None,
    Some(b"base64"),
    Some(b"quoted-printable"),
    Some(b"8bit"),
    Some(b"odd"),
];

fuzz_target!(|octets: &[u8]| {
    let limits = small_limits();
    let whole = skim(octets, 0, &limits);
    assert!(whole.0.attachments.len() <= limits.attachments);
    for cut in [1, 7] {
        assert_eq!(skim(octets, cut, &limits), whole, "cut {cut}");
    }
});

/// Skims pieces of the octets, each behind its length; a length of 255 is a loss.
fn skim(octets: &[u8], cut: usize, limits: &Limits) -> (BodyFacts, AnomalySet) {
    let mut choices = Choices(octets);
    let content_type = TYPES[usize::from(choices.octet().unwrap_or(0)) % TYPES.len()];
    let encoding = ENCODINGS[usize::from(choices.octet().unwrap_or(0)) % ENCODINGS.len()];
    let mut skimmer = BodySkimmer::new(Some(content_type), encoding, None, limits);
    while let Some(length) = choices.octet() {
        if length == 255 {
            skimmer.gap(u64::from(choices.number()));
        } else {
            let piece = choices.octets(usize::from(length));
            pieces(piece, cut).for_each(|piece| skimmer.feed(piece, &INTEREST, limits));
        }
    }
    skimmer.finish(&INTEREST, limits)
}
