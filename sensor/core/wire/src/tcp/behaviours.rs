//! What the flow table promises, one named behaviour at a time.
//!
//! Each scenario runs with several initial sequence numbers, wrapping ones included, and with the client on either side
//! of the canonical order. `c` is the client, `s` the server.

mod endings;
mod gaps;
mod in_order;
mod out_of_order;
mod partial;
mod table;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use super::conversation::{CloseReason, Conversation, FlowStart, Side, Verdict};
use super::segment::{Endpoint, Flags, Segment};
use super::seq::SeqNumber;
use super::table::FlowTable;
use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::frame::Timestamp;
use crate::limits::Limits;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const MS: i64 = 1_000_000;

/// Writes down what it is told. Gives up at `not mail`.
#[derive(Debug)]
struct Scribe {
    client: Side,
}

impl Scribe {
    fn name(&self, side: Side) -> char {
        if side == self.client {
            'c'
        } else {
            's'
        }
    }
}

struct Notes {
    client: Side,
    lines: Vec<String>,
}

impl Notes {
    /// Adds to the last line what continues it, so that the notes do not depend on where segments were cut.
    fn add(&mut self, head: &str, tail: &str) {
        match self.lines.last_mut() {
            Some(last) if last.starts_with(head) => last.push_str(tail),
            _ => self.lines.push(format!("{head}{tail}")),
        }
    }
}

impl Conversation for Scribe {
    type Context = Notes;

    fn open(start: &FlowStart, notes: &mut Notes) -> Self {
        let client = notes.client;
        let starts = |side: Side| match start.saw_start[side.index()] {
            true => "whole",
            false => "midstream",
        };
        let initiator = match start.initiator {
            None => "?",
            Some(side) if side == client => "c",
            Some(_) => "s",
        };
        let (c, s) = (starts(client), starts(client.peer()));
        notes.lines.push(format!("open by {initiator}, c {c}, s {s}"));
        Self { client }
    }

    fn data(&mut self, side: Side, bytes: &[u8], _: Timestamp, notes: &mut Notes) -> Verdict {
        assert!(!bytes.is_empty());
        let text = String::from_utf8_lossy(bytes);
        notes.add(&format!("{}: ", self.name(side)), &text);
        match text.contains("not mail") {
            true => Verdict::NotMail,
            false => Verdict::Continue,
        }
    }

    fn gap(&mut self, side: Side, octets: u64, _: Timestamp, notes: &mut Notes) -> Verdict {
        assert!(octets > 0);
        notes.lines.push(format!("{} gap {octets}", self.name(side)));
        Verdict::Continue
    }

    fn note(&mut self, anomaly: Anomaly, notes: &mut Notes) {
        if anomaly != Anomaly::TcpGap {
            notes.lines.push(anomaly.slug().to_owned());
        }
    }

    fn fin(&mut self, side: Side, _: Timestamp, notes: &mut Notes) {
        notes.lines.push(format!("{} fin", self.name(side)));
    }

    fn close(&mut self, reason: CloseReason, last_seen: Timestamp, notes: &mut Notes) {
        let mut line = format!("{reason:?}");
        let _ = write!(line, " at {}", last_seen.0 / MS);
        notes.lines.push(line);
    }
}

/// One end as a scenario sees it.
#[derive(Clone, Copy)]
struct End {
    endpoint: Endpoint,
    isn: SeqNumber,
}

/// A table with one client and one server to play.
struct Stage {
    table: FlowTable<Scribe>,
    counters: Counters,
    anomalies: AnomalyCounts,
    notes: Notes,
    c: End,
    s: End,
    now_ms: i64,
}

impl Stage {
    fn new(limits: &Limits, isns: (u32, u32), client: Side) -> Self {
        let end = |last: u8, port: u16, isn: u32| End {
            endpoint: Endpoint {
                address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
                port,
            },
            isn: SeqNumber(isn),
        };
        let last = match client {
            Side::Low => 1,
            Side::High => 3,
        };
        Self {
            table: FlowTable::new(limits),
            counters: Counters::default(),
            anomalies: AnomalyCounts::default(),
            notes: Notes {
                client,
                lines: Vec::new(),
            },
            c: end(last, 40_000, isns.0),
            s: end(2, 25, isns.1),
            now_ms: 0,
        }
    }

    /// Shows a segment: flags, sequence and acknowledgment number as offsets (0 is the first octet, -1 the SYN), payload.
    fn show(&mut self, from: char, flags: u8, seq: i64, ack: i64, text: &str) {
        self.show_snapped(from, flags, (seq, ack), text, 0);
    }

    fn show_snapped(&mut self, from: char, flags: u8, (seq, ack): (i64, i64), text: &str, snapped_octets: u32) {
        let (own, peer) = match from {
            'c' => (self.c, self.s),
            _ => (self.s, self.c),
        };
        let segment = Segment {
            at: Timestamp(self.now_ms * MS),
            source: own.endpoint,
            destination: peer.endpoint,
            seq: own.isn.plus((seq + 1) as u32),
            ack: peer.isn.plus((ack + 1) as u32),
            flags: Flags(flags),
            payload: text.as_bytes(),
            snapped_octets,
            reassembled: false,
        };
        self.table
            .segment(&segment, &mut self.counters, &mut self.anomalies, &mut self.notes);
    }

    fn handshake(&mut self) {
        self.show('c', SYN, -1, 0, "");
        self.show('s', SYN | ACK, -1, 0, "");
        self.show('c', ACK, 0, 0, "");
    }

    fn data(&mut self, from: char, seq: i64, ack: i64, text: &str) {
        self.show(from, ACK, seq, ack, text);
    }

    /// Lets *ms* pass in steps that the clock believes.
    fn pass(&mut self, ms: i64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms = end.min(self.now_ms + 1_000);
            self.table.advance(
                Timestamp(self.now_ms * MS),
                &mut self.counters,
                &mut self.anomalies,
                &mut self.notes,
            );
        }
    }

    fn finish(&mut self) {
        self.table
            .finish(&mut self.counters, &mut self.anomalies, &mut self.notes);
    }
}

/// Plays *scenario* on every stage and demands *expected* notes.
fn play_with(limits: &Limits, scenario: impl Fn(&mut Stage), expected: &[&str]) {
    for isns in [(0, 77), (u32::MAX, u32::MAX - 4), (u32::MAX - 9, 1 << 31)] {
        for client in Side::BOTH {
            let mut stage = Stage::new(limits, isns, client);
            scenario(&mut stage);
            assert_eq!(stage.notes.lines, expected, "{isns:?}, client {client:?}");
            stage.finish();
            assert_eq!(stage.table.held_octets(), 0);
            assert!(stage.table.is_empty());
        }
    }
}

fn play(scenario: impl Fn(&mut Stage), expected: &[&str]) {
    play_with(&Limits::default(), scenario, expected);
}

const WHOLE: &str = "open by c, c whole, s whole";
const MIDSTREAM: &str = "open by ?, c midstream, s midstream";
