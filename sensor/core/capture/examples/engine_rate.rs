//! Runs captures through the engine on one thread and prints what a frame and a mail cost: no other thread, no Python.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use capture::FrameBatch;
use wire::engine::Engine;
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::record::event::Event;

fn main() {
    for name in std::env::args().skip(1) {
        match capture::open_path(Path::new(&name)) {
            Ok(reader) => measure(&name, reader),
            Err(damage) => println!("{name}: {damage}"),
        }
    }
}

/// Some of what the artifact table names, enough to cost what the whole costs.
fn interest() -> Result<Interest, String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Interest::new(&InterestSpec {
        fields: owned(&[
            "X-Forwarded-For",
            "X-Forwarded-To",
            "X-MS-Exchange-Inbox-Rules-Loop",
            "Resent-From",
            "X-Loop",
        ]),
        reverse_path_marks: owned(&["+caf_=", "+srs=", "srs0=", "srs1="]),
        subject_prefixes: owned(&["fw", "fwd", "wg", "rv", "tr"]),
        body_marks: owned(&[
            "---- forwarded message ----",
            "begin forwarded message:",
            "weitergeleitete nachricht",
            "messaggio inoltrato",
            "mensaje reenviado",
            "doorgestuurd bericht",
        ]),
        ..InterestSpec::default()
    })
}

fn measure(name: &str, mut reader: capture::CaptureReader) {
    let interest = match interest() {
        Ok(interest) => interest,
        Err(error) => return println!("{error}"),
    };
    let mut engine = Engine::new(Arc::new(interest), Limits::default());
    let mut batch = FrameBatch::new();
    let (mut reading_s, mut mails) = (0.0, 0_u64);
    let start = Instant::now();
    loop {
        let before = Instant::now();
        let more = reader.fill(&mut batch);
        reading_s += before.elapsed().as_secs_f64();
        for frame in &batch {
            engine.frame(&frame);
        }
        if !more {
            engine.finish();
        }
        let told = engine.events().drain(..);
        mails += told.filter(|event| matches!(event, Event::Transaction(_))).count() as u64;
        if !more {
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let engine_ns = (seconds - reading_s) * 1e9;
    let frames = reader.frames_read().max(1) as f64;
    println!("{name}: {frames} frames, {mails} mails in {seconds:.3} s, of which reading {reading_s:.3} s");
    println!(
        "  engine: {:.0} ns a frame, {:.2} us a mail",
        engine_ns / frames,
        engine_ns / 1e3 / mails.max(1) as f64
    );
}
