//! The whole core: frames of interleaved sessions in, records out. Each turn is one mail in a session of its own.

#![allow(missing_docs, clippy::unwrap_used)] // criterion_group! makes a public function

use std::sync::Arc;

use criterion::{criterion_group, criterion_main, BatchSize, Criterion, Throughput};
use wire::engine::Engine;
use wire::frame::{Frame, LinkType, Timestamp};
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;

const SESSIONS: u8 = 32;
const SEGMENT_OCTETS: usize = 1_448;
const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Both ends of one connection, client first: the next number of each.
struct Connection {
    number: u8,
    next: [u32; 2],
    frames: Vec<Vec<u8>>,
}

impl Connection {
    /// A frame of the client (0) or the server (1).
    fn frame(&mut self, from: usize, flags: u8, payload: &[u8]) {
        let (client, server) = ([10, 0, 0, self.number], [192, 0, 2, 1]);
        let (port, mail) = (40_000_u16.to_be_bytes(), 25_u16.to_be_bytes());
        let addresses = [[client, server].concat(), [server, client].concat()];
        let ports = [[port, mail].concat(), [mail, port].concat()];
        let total = (40 + payload.len() as u16).to_be_bytes();
        let frame = [
            &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0],
            &total[..],
            &[0, 1, 0x40, 0, 64, 6, 0, 0],
            &addresses[from],
            &ports[from],
            &self.next[from].to_be_bytes(),
            &self.next[1 - from].to_be_bytes(),
            &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0],
            payload,
        ]
        .concat();
        self.frames.push(frame);
        self.next[from] += payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
    }

    fn says(&mut self, from: usize, octets: &[u8]) {
        for (number, segment) in octets.chunks(SEGMENT_OCTETS).enumerate() {
            self.frame(from, ACK, segment);
            if number % 2 == 1 {
                self.frame(1 - from, ACK, b"");
            }
        }
    }
}

fn session(number: u8, content: &str) -> Vec<Vec<u8>> {
    let mut connection = Connection {
        number,
        next: [100, 200],
        frames: Vec::new(),
    };
    connection.frame(0, SYN, b"");
    connection.frame(1, SYN | ACK, b"");
    connection.frame(0, ACK, b"");
    for (from, text) in [
        (1, "220 mx.dst.example ESMTP\r\n"),
        (0, "EHLO out.src.example\r\n"),
        (1, "250-mx.dst.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n"),
        (0, "MAIL FROM:<bo@src.example>\r\nRCPT TO:<ann@dst.example>\r\nDATA\r\n"),
        (1, "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n"),
        (0, content),
        (1, "250 2.0.0 Ok: queued as 4F2A1B3C4D\r\n"),
        (0, "QUIT\r\n"),
        (1, "221 2.0.0 Bye\r\n"),
    ] {
        connection.says(from, text.as_bytes());
    }
    connection.frame(0, FIN | ACK, b"");
    connection.frame(1, FIN | ACK, b"");
    connection.frame(0, ACK, b"");
    connection.frames
}

/// The frames of all sessions in turn.
fn interleaved(content: &str) -> Vec<Vec<u8>> {
    let mut sessions: Vec<_> = (0..SESSIONS)
        .map(|number| session(number, content).into_iter())
        .collect();
    let longest = sessions.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|_| sessions.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>())
        .collect()
}

fn mail(octets: usize) -> String {
    let header =
        "Received: from out.src.example (out.src.example [192.0.2.7])\r\n\tby mx.dst.example (Postfix) with ESMTPS\r\n\
        \tid 4F2A1B3C4D for <ann@dst.example>; Sun, 22 Nov 2026 01:04:19 +0100 (CET)\r\n\
        From: Bo Example <bo@src.example>\r\nTo: Ann <ann@dst.example>\r\nSubject: minutes\r\n\
        Date: Sun, 22 Nov 2026 01:04:17 +0100\r\nMessage-ID: <1.a@src.example>\r\n\r\n";
    let line = "The quick brown fox jumps over the lazy dog, and has a rest.\r\n";
    format!("{header}{}.\r\n", line.repeat(octets / line.len()))
}

fn engine(c: &mut Criterion) {
    let interest = Arc::new(Interest::new(&InterestSpec::default()).unwrap());
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(u64::from(SESSIONS)));
    for (name, octets) in [("mails_4k", 4_000), ("mails_40k", 40_000)] {
        let frames = interleaved(&mail(octets));
        group.bench_function(name, |b| {
            let begin = || Engine::new(Arc::clone(&interest), Limits::default());
            b.iter_batched_ref(
                begin,
                |engine| {
                    for (number, bytes) in frames.iter().enumerate() {
                        engine.frame(&Frame {
                            at: Timestamp(number as i64 * 10_000),
                            link_type: LinkType::ETHERNET,
                            bytes,
                            original_octets: bytes.len() as u32,
                        });
                    }
                    assert_eq!(engine.events().drain(..).count(), usize::from(SESSIONS));
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
