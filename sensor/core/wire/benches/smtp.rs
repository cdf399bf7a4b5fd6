//! One session machine: what a mail costs from MAIL to the final reply, content included, and what a dialogue costs alone.

#![allow(missing_docs, clippy::unwrap_used)] // criterion_group! makes a public function

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use wire::frame::Timestamp;
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;
use wire::record::event::FlowId;
use wire::smtp::context::Context;
use wire::smtp::session::{Beginning, Session};
use wire::tcp::segment::Endpoint;

const SEGMENT_OCTETS: usize = 1_448;
const HEADER: &str = "Received: from out.src.example (out.src.example [192.0.2.7])\r\n\
    \tby mx.dst.example (Postfix) with ESMTPS id 4F2A1B3C4D\r\n\tfor <ann@dst.example>; Sun, 22 Nov 2026 01:04:19 +0100 (CET)\r\n\
    From: Bo Example <bo@src.example>\r\nTo: Ann <ann@dst.example>\r\nSubject: minutes\r\n\
    Date: Sun, 22 Nov 2026 01:04:17 +0100\r\nMessage-ID: <1.a@src.example>\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\r\n";

/// One side's octets: true for the client's.
type Turn = (bool, Vec<u8>);

fn turn(from_client: bool, text: &str) -> Turn {
    (from_client, text.as_bytes().to_vec())
}

fn content(octets: usize) -> Turn {
    let line = "The quick brown fox jumps over the lazy dog, and has a rest.\r\n";
    let body = line.repeat(octets.saturating_sub(HEADER.len()) / line.len());
    turn(true, &format!("{HEADER}{body}.\r\n"))
}

fn pipelined(octets: usize) -> Vec<Turn> {
    vec![
        turn(
            true,
            "MAIL FROM:<bo@src.example> SIZE=4000\r\nRCPT TO:<ann@dst.example>\r\nDATA\r\n",
        ),
        turn(
            false,
            "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n",
        ),
        content(octets),
        turn(false, "250 2.0.0 Ok: queued as 4F2A1B3C4D\r\n"),
    ]
}

fn step_by_step(octets: usize) -> Vec<Turn> {
    vec![
        turn(true, "MAIL FROM:<bo@src.example>\r\n"),
        turn(false, "250 2.1.0 Ok\r\n"),
        turn(true, "RCPT TO:<ann@dst.example>\r\n"),
        turn(false, "250 2.1.5 Ok\r\n"),
        turn(true, "DATA\r\n"),
        turn(false, "354 End data with <CR><LF>.<CR><LF>\r\n"),
        content(octets),
        turn(false, "250 2.0.0 Ok: queued as 4F2A1B3C4D\r\n"),
    ]
}

fn refused() -> Vec<Turn> {
    vec![
        turn(true, "MAIL FROM:<bo@src.example>\r\n"),
        turn(false, "250 2.1.0 Ok\r\n"),
        turn(true, "RCPT TO:<ann@dst.example>\r\n"),
        turn(false, "550 5.1.1 no such user\r\n"),
        turn(true, "RSET\r\n"),
        turn(false, "250 2.0.0 Ok\r\n"),
    ]
}

fn greeted(context: &mut Context) -> Session {
    let endpoint = |last: u8, port: u16| Endpoint {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        port,
    };
    let flow = FlowId {
        client: endpoint(1, 40_000),
        server: endpoint(2, 25),
        started_at: Timestamp(0),
    };
    let mut session = Session::new(flow, Beginning::Start, context);
    play(
        &mut session,
        &[
            turn(false, "220 mx.dst.example ESMTP\r\n"),
            turn(true, "EHLO out.src.example\r\n"),
            turn(false, "250-mx.dst.example\r\n250-PIPELINING\r\n250 SIZE 52428800\r\n"),
        ],
        context,
    );
    session
}

fn play(session: &mut Session, turns: &[Turn], context: &mut Context) {
    play_in(session, turns, SEGMENT_OCTETS, context);
}

fn play_in(session: &mut Session, turns: &[Turn], segment_octets: usize, context: &mut Context) {
    for (from_client, octets) in turns {
        for segment in octets.chunks(segment_octets) {
            if *from_client {
                session.client(black_box(segment), Timestamp(1), context);
            } else {
                session.server(black_box(segment), Timestamp(1), context);
            }
        }
    }
}

fn interest() -> Interest {
    let spec = InterestSpec {
        fields: vec!["X-Forwarded-To".to_owned()],
        reverse_path_marks: vec!["+caf_=".to_owned(), "srs0=".to_owned()],
        subject_prefixes: vec!["fwd".to_owned()],
        body_marks: vec!["begin forwarded message:".to_owned()],
        ..InterestSpec::default()
    };
    Interest::new(&spec).unwrap()
}

fn mails(c: &mut Criterion) {
    let mut context = Context::new(Arc::new(interest()), Limits::default());
    let mut group = c.benchmark_group("smtp");
    group.throughput(Throughput::Elements(1));
    for (name, turns) in [
        ("pipelined_4k", pipelined(4_000)),
        ("pipelined_40k", pipelined(40_000)),
        ("step_by_step_4k", step_by_step(4_000)),
        ("refused", refused()),
    ] {
        group.bench_function(name, |b| {
            let mut session = greeted(&mut context);
            b.iter(|| {
                play(&mut session, &turns, &mut context);
                assert_eq!(black_box(context.events.drain(..)).count(), 1);
            });
        });
    }
    group.bench_function("session_without_mail", |b| b.iter(|| drop(greeted(&mut context))));
    group.finish();
}

/// Bodies of a MiB, ordinary ones and such as a hostile sender makes, in segments as an offloading network card shows them.
fn bodies(c: &mut Criterion) {
    const BODY_OCTETS: usize = 1 << 20;
    let mut context = Context::new(Arc::new(interest()), Limits::default());
    let mut group = c.benchmark_group("smtp_body");
    group.throughput(Throughput::Bytes(BODY_OCTETS as u64)).sample_size(10);
    for (name, line) in [
        (
            "ordinary",
            "The quick brown fox jumps over the lazy dog, and has a rest.\r\n",
        ),
        ("false_ends", "\n.\n"),
        ("false_ends_and_words", "\n.\nmail\n"),
        ("false_ends_by_cr", "\r.\rx"),
        ("false_ends_and_commands", "\n.\nQUIT\n"),
        ("stuffed_dots", "..\r\n"),
    ] {
        let body = line.repeat(BODY_OCTETS / line.len());
        let turns = [
            &pipelined(0)[..2],
            &[
                turn(true, &format!("{HEADER}{body}\r\n.\r\n")),
                turn(false, "250 Ok\r\n"),
                turn(true, "RSET\r\n"),
            ],
            &[turn(false, "250 Ok\r\n")],
        ]
        .concat();
        group.bench_function(name, |b| {
            let mut session = greeted(&mut context);
            b.iter(|| {
                play_in(&mut session, &turns, 1 << 15, &mut context);
                assert_eq!(black_box(context.events.drain(..)).count(), 1);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, mails, bodies);
criterion_main!(benches);
