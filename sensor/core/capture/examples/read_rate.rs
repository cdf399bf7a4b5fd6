//! Reads captures and prints how many frames they hold, how fast they were read, and what was wrong with them.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

fn main() {
    for name in std::env::args().skip(1) {
        match capture::open_path(Path::new(&name)) {
            Ok(reader) => measure(&name, reader),
            Err(damage) => println!("{name}: {damage}"),
        }
    }
}

fn measure(name: &str, mut reader: capture::CaptureReader) {
    let start = Instant::now();
    let mut batch = capture::FrameBatch::new();
    let (mut octets, mut last_ns) = (0u64, 0);
    while reader.fill(&mut batch) {
        for frame in &batch {
            octets += frame.bytes.len() as u64;
            last_ns = frame.at.0;
        }
    }
    let (frames, seconds) = (reader.frames_read(), start.elapsed().as_secs_f64());
    let (format, compression) = (reader.format().name(), reader.compression().name());
    let rate = reader.octets_read() as f64 / seconds / 1e6;
    println!("{name}: {format}, compression {compression}, {frames} frames, {octets} octets, last at {last_ns} ns");
    println!("  {seconds:.3} s, {rate:.0} MB/s as stored, {:?}", reader.condition());
    for damage in reader.damage() {
        println!("  {} at {}: {damage}", damage.kind.slug(), damage.offset);
    }
}
