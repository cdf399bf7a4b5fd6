//! Any mail, with losses: facts within bounds, the same however it was cut.
#![no_main]

use core_fuzz::{check_message, pieces, small_limits, Choices, INTEREST};
use libfuzzer_sys::fuzz_target;
use wire::content::ContentReader;
use wire::counters::Counters;
use wire::limits::Limits;
use wire::message::MessageFacts;

fuzz_target!(|octets: &[u8]| {
    let limits = small_limits();
    let whole = read(octets, 0, &limits);
    check_message(&whole.0, &limits);
    for cut in [1, 7] {
        assert_eq!(read(octets, cut, &limits), whole, "cut {cut}");
    }
});

/// Reads the octets, of which each 0xff stands for a loss of as many octets as the next one says.
fn read(octets: &[u8], cut: usize, limits: &Limits) -> (MessageFacts, bool) {
    let mut reader = ContentReader::new(limits);
    for (number, part) in octets.split(|octet| *octet == 0xff).enumerate() {
        let mut choices = Choices(part);
        if number > 0 {
            reader.gap(u64::from(choices.octet().unwrap_or(0)));
        }
        pieces(choices.0, cut).for_each(|piece| reader.feed(piece, &INTEREST, limits));
    }
    reader.finish(
        &wire::structure::Envelope::default(),
        &INTEREST,
        limits,
        &mut Counters::default(),
    )
}
