//! Any octets as a capture file: what can be read is read, the rest is damage, and there is a bound on the telling.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let (frames, damage) = capture::read_everything(octets);
    assert!(frames > 0 || !damage.is_empty() || octets.len() >= 24);
    assert!(damage.len() <= capture::bounds::DAMAGES);
});
