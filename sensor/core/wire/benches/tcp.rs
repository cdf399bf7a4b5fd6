//! The flow table: what a segment costs in order, as a bare acknowledgment, out of order, and as a flow of its own.

#![allow(missing_docs)] // criterion_group! makes a public function

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use wire::anomaly::{Anomaly, AnomalyCounts};
use wire::counters::Counters;
use wire::frame::Timestamp;
use wire::limits::Limits;
use wire::tcp::conversation::{CloseReason, Conversation, FlowStart, Side, Verdict};
use wire::tcp::segment::{Endpoint, Flags, Segment};
use wire::tcp::seq::SeqNumber;
use wire::tcp::table::FlowTable;

const OCTETS: [u8; 1_448] = [b'x'; 1_448];
const FLOWS: u32 = 1_000;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Counts what it is told and nothing else.
struct Sum;

impl Conversation for Sum {
    type Context = u64;

    fn open(_start: &FlowStart, _context: &mut u64) -> Self {
        Self
    }
    fn data(&mut self, _side: Side, bytes: &[u8], _at: Timestamp, context: &mut u64) -> Verdict {
        *context += bytes.len() as u64;
        Verdict::Continue
    }
    fn gap(&mut self, _side: Side, _octets: u64, _at: Timestamp, _context: &mut u64) -> Verdict {
        Verdict::Continue
    }
    fn note(&mut self, _anomaly: Anomaly, _context: &mut u64) {}
    fn fin(&mut self, _side: Side, _at: Timestamp, _context: &mut u64) {}
    fn close(&mut self, _reason: CloseReason, _last_seen: Timestamp, _context: &mut u64) {}
}

struct Tap {
    table: FlowTable<Sum>,
    counters: Counters,
    anomalies: AnomalyCounts,
    told: u64,
    now: i64,
}

impl Tap {
    fn new() -> Self {
        Self {
            table: FlowTable::new(&Limits::default()),
            counters: Counters::default(),
            anomalies: AnomalyCounts::default(),
            told: 0,
            now: 0,
        }
    }

    /// A segment of the client of *flow*.
    fn client(&mut self, flow: u32, seq: u32, flags: u8, payload: &[u8]) {
        self.now += 10_000;
        let segment = Segment {
            at: Timestamp(self.now),
            source: endpoint(0x0a00_0000 | flow, 40_000),
            destination: endpoint(0xc000_0201, 25),
            seq: SeqNumber(seq),
            ack: SeqNumber(1),
            flags: Flags(flags),
            payload,
            snapped_octets: 0,
            reassembled: false,
        };
        self.table.segment(
            black_box(&segment),
            &mut self.counters,
            &mut self.anomalies,
            &mut self.told,
        );
    }

    /// Opens all flows and shows the first octet of each.
    fn with_flows() -> Self {
        let mut tap = Self::new();
        for flow in 0..FLOWS {
            tap.client(flow, 0, SYN, b"");
            tap.client(flow, 1, ACK, b"x");
        }
        tap
    }
}

fn endpoint(address: u32, port: u16) -> Endpoint {
    Endpoint {
        address: IpAddr::V4(Ipv4Addr::from_bits(address)),
        port,
    }
}

/// Runs *step* with the flows in turn; it gets the number that the flow's next octet has.
fn in_turn(c: &mut Criterion, name: &str, octets: u32, step: impl Fn(&mut Tap, u32, u32)) {
    let mut group = c.benchmark_group("tcp");
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |b| {
        let mut tap = Tap::with_flows();
        let (mut flow, mut next) = (0, 2_u32);
        b.iter(|| {
            step(&mut tap, flow, next);
            flow += 1;
            if flow == FLOWS {
                (flow, next) = (0, next.wrapping_add(octets));
            }
        });
    });
    group.finish();
}

fn segments(c: &mut Criterion) {
    let octets = OCTETS.len() as u32;
    in_turn(c, "in_order", octets, |tap, flow, next| {
        tap.client(flow, next, ACK, &OCTETS)
    });
    in_turn(c, "bare_ack", 0, |tap, flow, next| tap.client(flow, next, ACK, b""));
    in_turn(c, "two_swapped", 2 * octets, |tap, flow, next| {
        tap.client(flow, next.wrapping_add(octets), ACK, &OCTETS);
        tap.client(flow, next, ACK, &OCTETS);
    });
    let mut group = c.benchmark_group("tcp");
    group.bench_function("new_flow", |b| {
        let mut tap = Tap::new();
        let mut flow = 0_u32;
        b.iter(|| {
            flow = (flow + 1) & 0x00ff_ffff;
            tap.client(flow, 0, SYN, b"");
            tap.client(flow, 1, ACK, b"x");
        });
    });
    group.finish();
}

criterion_group!(benches, segments);
criterion_main!(benches);
