//! Both sides of a session in any order, with losses: records within bounds; without losses the same however the octets
//! were cut. (Behind a loss the reader guesses by what it has in hand.)
#![no_main]

use core_fuzz::dialogue::{records, turns, Turn};
use core_fuzz::{check_event, small_limits};
use libfuzzer_sys::fuzz_target;
use wire::limits::Limits;
use wire::smtp::session::Beginning;

fuzz_target!(|octets: &[u8]| {
    let Some((choice, rest)) = octets.split_first() else {
        return;
    };
    let beginning = [Beginning::Start, Beginning::Midstream, Beginning::ImplicitTls][usize::from(choice % 3)];
    let turns = turns(rest);
    // Commands that were dropped are a loss like any other, and what a session holds is looked at chunk by chunk.
    let limits = Limits {
        pending_commands: 10_000,
        session_octets: 1 << 20,
        ..small_limits()
    };
    let whole = records(&turns, beginning, 0, &limits);
    whole.iter().for_each(|event| check_event(event, &limits));
    let lossless = |turn: &Turn<'_>| matches!(turn, Turn::Client(_) | Turn::Server(_));
    if beginning != Beginning::Start || !turns.iter().all(lossless) {
        return;
    }
    let cut = 1 + usize::from(choice / 3) % 8;
    assert_eq!(
        records(&turns, beginning, cut, &limits),
        whole,
        "cut every {cut} octets"
    );
});
