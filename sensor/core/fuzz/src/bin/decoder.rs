//! Any octets as frames of any link type: each ends in exactly one way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::decoder::decode_arbitrary;

fuzz_target!(|octets: &[u8]| {
    let counters = decode_arbitrary(octets);
    let ends = counters.segments
        + counters.frames_unsupported_link
        + counters.frames_not_ip
        + counters.packets_not_tcp
        + counters.frames_nested_too_deep
        + counters.frames_held
        + counters.frames_malformed;
    assert_eq!(ends, counters.frames);
});
