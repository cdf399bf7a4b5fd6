//! Any line as a command: verb, BDAT size, payload size, and whether it can be anything else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::smtp::command::{bdat_size, is_unmistakable, payload_size, Command, Verb};

fuzz_target!(|line: &[u8]| {
    let command = Command::parse(line);
    assert!(command.arguments.len() <= line.len());
    assert!(!(is_unmistakable(line) && command.verb == Verb::Unknown));
    let _ = (bdat_size(command.arguments), payload_size(command.arguments));
});
