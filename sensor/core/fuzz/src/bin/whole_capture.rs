//! Any octets as a capture, all the way to printed records, with bounds so small that they are reached.
#![no_main]

use std::io::Cursor;
use std::sync::Arc;

use capture::{CaptureReader, FrameBatch};
use core_fuzz::{check_event, small_limits, INTEREST};
use libfuzzer_sys::fuzz_target;
use wire::engine::Engine;

fuzz_target!(|octets: &[u8]| {
    let Ok(mut reader) = CaptureReader::open(Box::new(Cursor::new(octets.to_vec()))) else {
        return;
    };
    let limits = small_limits();
    let mut engine = Engine::new(Arc::clone(&INTEREST), limits.clone());
    let mut batch = FrameBatch::new();
    while reader.fill(&mut batch) {
        batch.frames().for_each(|frame| engine.frame(&frame));
    }
    engine.finish();
    engine.events().iter().for_each(|event| check_event(event, &limits));
});
