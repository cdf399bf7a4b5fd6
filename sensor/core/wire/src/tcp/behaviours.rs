//! What the flow table promises, one named behaviour at a time.
//!
//! Each scenario runs with several initial sequence numbers, wrapping ones included, and with the client on either side
//! of the canonical order. `c` is the client, `s` the server.

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
        notes
            .lines
            .push(format!("open by {initiator}, c {c}, s {s}"));
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
        notes
            .lines
            .push(format!("{} gap {octets}", self.name(side)));
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

    fn show_snapped(
        &mut self,
        from: char,
        flags: u8,
        (seq, ack): (i64, i64),
        text: &str,
        snapped_octets: u32,
    ) {
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
        self.table.segment(
            &segment,
            &mut self.counters,
            &mut self.anomalies,
            &mut self.notes,
        );
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

// ---- in order

#[test]
fn a_plain_dialogue_is_told_as_it_went() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220 hi\n");
            t.data('c', 0, 7, "QUIT\n");
            t.data('s', 7, 5, "221 bye\n");
            t.now_ms = 9;
            t.show('s', FIN | ACK, 15, 5, "");
            t.show('c', FIN | ACK, 5, 16, "");
            t.data('s', 16, 6, "");
        },
        &[
            WHOLE,
            "s: 220 hi\n",
            "c: QUIT\n",
            "s: 221 bye\n",
            "s fin",
            "c fin",
            "Finished at 9",
        ],
    );
}

#[test]
fn a_handshake_alone_opens_nothing() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "");
            t.show('s', RST | ACK, 0, 1, "");
            assert_eq!(t.table.embryonic(), 0);
        },
        &[],
    );
}

#[test]
fn data_in_the_syn_is_data() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "EHLO");
            t.show('s', SYN | ACK, -1, 4, "");
            t.data('c', 4, 0, " a\n");
            t.data('s', 0, 7, "250\n");
        },
        &["open by c, c whole, s midstream", "c: EHLO a\n", "s: 250\n"],
    );
}

#[test]
fn retransmissions_and_keep_alives_tell_nothing_new() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.show('c', SYN, -1, 0, "");
            t.show('s', SYN | ACK, -1, 0, "");
            t.data('c', 0, 0, "abc");
            t.data('c', 2, 0, "\0");
            t.data('c', 2, 0, "");
            t.data('s', 0, 3, "");
            t.data('c', 1, 0, "bcde");
            assert_eq!(t.counters.octets_retransmitted, 3 + 1 + 2);
        },
        &[WHOLE, "c: abcde"],
    );
}

// ---- out of order

#[test]
fn segments_out_of_order_are_put_in_order() {
    play(
        |t| {
            t.handshake();
            t.data('c', 6, 0, "gh");
            t.data('c', 3, 0, "de");
            t.data('c', 0, 0, "abc");
            t.data('c', 5, 0, "f");
            assert_eq!(t.counters.segments_out_of_order, 2);
            assert_eq!(t.counters.gaps, 0);
        },
        &[WHOLE, "c: abcdefgh"],
    );
}

#[test]
fn the_first_copy_wins_and_a_conflict_is_told() {
    play(
        |t| {
            t.handshake();
            t.data('c', 2, 0, "cd");
            t.data('c', 0, 0, "abXXe");
            assert_eq!(t.counters.octets_conflicting, 2);
            t.data('c', 5, 0, "f");
        },
        &[WHOLE, "c: ab", "tcp_conflicting_overlap", "c: cdef"],
    );
}

#[test]
fn a_reply_shown_before_its_command_is_told_after_it() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('s', 4, 5, "250\n");
            t.data('c', 5, 8, "MAIL\n");
            t.data('c', 0, 4, "EHLO\n");
        },
        &[WHOLE, "s: 220\n", "c: EHLO\n", "s: 250\n", "c: MAIL\n"],
    );
}

#[test]
fn a_whole_direction_shown_late_is_woven_in() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('s', 4, 5, "250\n");
            t.show('s', FIN | ACK, 8, 10, "221\n");
            t.data('c', 0, 4, "EHLO\n");
            t.data('c', 5, 8, "QUIT\n");
            t.show('c', FIN | ACK, 10, 13, "");
        },
        &[
            WHOLE,
            "s: 220\n",
            "c: EHLO\n",
            "s: 250\n",
            "c: QUIT\n",
            "s: 221\n",
            "s fin",
            "c fin",
            "Finished at 0",
        ],
    );
}

#[test]
fn a_retransmission_needs_no_more_than_what_follows_it() {
    play(
        |t| {
            t.handshake();
            t.data('c', 4, 0, "efgh"); // sent before the server spoke
            t.data('c', 0, 3, "abcd"); // the copy of the lost one, sent after
            t.data('s', 0, 0, "xyz");
        },
        &[WHOLE, "c: abcdefgh", "s: xyz"],
    );
}

#[test]
fn numbers_that_contradict_each_other_do_not_block_the_flow() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 4, "ab");
            t.data('s', 0, 2, "wxyz");
            t.data('c', 2, 4, "c");
            assert_eq!((t.counters.gaps, t.table.held_octets()), (0, 0));
            t.notes.lines.retain(|line| line.starts_with('s')); // the lower side goes first
        },
        &["s: wxyz"],
    );
}

#[test]
fn two_needless_retransmissions_that_overtake_their_originals_keep_the_order() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 3, "y"); // both sent again before the acknowledgments came,
            t.data('c', 0, 1, "abcd"); // so that each needs the other
            t.data('s', 0, 0, "y");
            t.data('c', 0, 0, "abc");
            let told = t.notes.lines.split_off(1).join(" ");
            assert!(told.find('y') < told.find('d'), "{told}");
            assert_eq!(t.counters.gaps, 0);
        },
        &[WHOLE],
    );
}

// ---- gaps

#[test]
fn acknowledged_octets_that_never_came_are_a_gap_after_the_grace_time() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.data('c', 8, 0, "ijk");
            t.data('s', 0, 11, "ok");
            t.pass(999);
            assert_eq!(t.notes.lines.len(), 2);
            t.pass(1);
            assert_eq!((t.counters.gaps, t.counters.gap_octets), (1, 5));
            assert_eq!(t.anomalies.count(Anomaly::TcpGap), 1);
        },
        &[WHOLE, "c: abc", "c gap 5", "c: ijk", "s: ok"],
    );
}

#[test]
fn octets_that_come_within_the_grace_time_are_no_gap() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 3, "ok");
            t.pass(900);
            t.data('c', 0, 0, "abc");
            t.pass(900);
            t.data('s', 2, 6, "!");
            t.pass(900);
            t.data('c', 3, 2, "def");
        },
        &[WHOLE, "c: abc", "s: ok", "c: def", "s: !"],
    );
}

#[test]
fn octets_that_nobody_acknowledged_are_waited_for() {
    play(
        |t| {
            t.handshake();
            t.data('c', 3, 0, "def");
            t.data('s', 0, 0, "");
            t.pass(30_000);
            t.data('c', 0, 0, "abc");
        },
        &[WHOLE, "c: abcdef"],
    );
}

#[test]
fn a_lost_stretch_is_told_in_parts_between_what_the_peer_sent() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 5, "250 a\n");
            t.data('s', 6, 12, "250 b\n");
            t.data('c', 20, 12, "QUIT\n");
            t.data('s', 12, 25, "");
            t.pass(1_000);
        },
        &[
            WHOLE,
            "c gap 5",
            "s: 250 a\n",
            "c gap 7",
            "s: 250 b\n",
            "c gap 8",
            "c: QUIT\n",
        ],
    );
}

#[test]
fn a_lossy_capture_runs_on_once_the_causal_hold_is_full() {
    let limits = Limits {
        causal_hold_octets_per_flow: 400,
        ..Limits::default()
    };
    play_with(
        &limits,
        |t| {
            t.handshake();
            t.data('c', 0, 5, &"x".repeat(300)); // the server's five octets were lost
            assert!(t.notes.lines.is_empty());
            t.data('c', 300, 5, "y");
            assert_eq!(t.counters.octets_dropped_out_of_order, 5);
            assert_eq!(t.anomalies.count(Anomaly::TcpOutOfOrderLimit), 1);
            t.notes.lines.retain(|line| !line.starts_with("c: x"));
        },
        &[WHOLE, "s gap 5", "tcp_out_of_order_limit"],
    );
}

#[test]
fn bounds_on_held_octets_and_segments_turn_holes_into_gaps() {
    let narrow = [
        Limits {
            out_of_order_octets_per_flow: 190,
            ..Limits::default()
        },
        Limits {
            out_of_order_segments_per_flow: 2,
            ..Limits::default()
        },
    ];
    for limits in narrow {
        play_with(
            &limits,
            |t| {
                t.handshake();
                t.data('c', 2, 0, "c");
                t.data('c', 4, 0, "e");
                assert!(t.notes.lines.is_empty());
                t.data('c', 7, 0, "hijkl");
            },
            &[WHOLE, "c gap 2", "c: c", "tcp_out_of_order_limit"],
        );
    }
}

#[test]
fn the_bound_over_all_flows_releases_the_flow_that_breaks_it() {
    let limits = Limits {
        out_of_order_octets: 150,
        ..Limits::default()
    };
    play_with(
        &limits,
        |t| {
            t.handshake();
            t.data('c', 2, 0, "c");
            t.data('c', 4, 0, "e");
            assert!(t.table.held_octets() > 0);
            t.data('c', 6, 0, "g");
            assert_eq!(t.table.held_octets(), 0);
            t.notes.lines.retain(|line| line.contains(':'));
        },
        &["c: c", "c: e", "c: g"],
    );
}

#[test]
fn a_snapped_segment_is_its_payload_and_then_a_gap() {
    play(
        |t| {
            t.handshake();
            t.show_snapped('c', ACK, (0, 0), "abc", 7);
            t.data('c', 10, 0, "k");
            t.show_snapped('c', ACK, (15, 0), "", 2);
            t.data('c', 11, 0, "lmno");
        },
        &[
            WHOLE,
            "c: abc",
            "tcp_snapped",
            "c gap 7",
            "c: klmno",
            "tcp_snapped",
            "c gap 2",
        ],
    );
}

// ---- one direction, mid-stream

#[test]
fn a_direction_that_is_not_captured_is_a_gap_without_waiting() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "");
            t.show('c', ACK, 0, 0, "");
            t.data('c', 0, 8, "EHLO\n");
            t.data('c', 5, 60, "MAIL\n");
            t.data('c', 10, 68, "");
        },
        &[
            "open by c, c whole, s midstream",
            "s gap 8",
            "c: EHLO\n",
            "s gap 52",
            "c: MAIL\n",
            "s gap 8",
        ],
    );
}

#[test]
fn a_direction_that_shows_up_late_is_followed_from_there() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "");
            t.show('c', ACK, 0, 0, "");
            t.data('c', 0, 8, "EHLO\n");
            t.data('s', 8, 5, "250\n");
            t.data('s', 12, 10, "250\n");
            t.data('c', 5, 12, "MAIL\n");
        },
        &[
            "open by c, c whole, s midstream",
            "s gap 8",
            "c: EHLO\n",
            "s: 250\n",
            "c: MAIL\n",
            "s: 250\n",
        ],
    );
}

#[test]
fn a_hole_in_the_only_direction_is_a_gap_after_the_grace_time() {
    play(
        |t| {
            t.show('c', SYN, -1, 0, "");
            t.data('c', 3, 0, "def");
            t.pass(1_000);
            t.data('c', 6, 0, "g");
        },
        &["open by c, c whole, s midstream", "c gap 3", "c: defg"],
    );
}

#[test]
fn a_capture_may_begin_inside_a_flow() {
    play(
        |t| {
            t.data('s', 1_000, 500, "250\n");
            t.data('c', 500, 1_004, "DATA\n");
            t.data('s', 990, 500, "too late\n");
            t.data('s', 1_004, 505, "354\n");
        },
        &[MIDSTREAM, "s: 250\n", "c: DATA\n", "s: 354\n"],
    );
}

#[test]
fn a_syn_that_data_overtook_belongs_to_its_flow() {
    play(
        |t| {
            t.data('c', 0, 0, "EHLO\n");
            t.show('c', SYN, -1, 0, "");
            t.data('c', 5, 0, "MAIL\n");
        },
        &[MIDSTREAM, "c: EHLO\nMAIL\n"],
    );
}

// ---- the end of a flow

#[test]
fn a_half_closed_flow_goes_on() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "QUIT\n");
            t.data('s', 0, 6, "221\n");
            t.now_ms = 3;
            t.show('s', FIN | ACK, 4, 6, "");
        },
        &[
            WHOLE,
            "c: QUIT\n",
            "c fin",
            "s: 221\n",
            "s fin",
            "Finished at 3",
        ],
    );
}

#[test]
fn data_beyond_a_fin_is_told_of_and_ignored() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "ab");
            t.data('c', 1, 0, "bXY");
            t.data('c', 9, 0, "Z");
        },
        &[
            WHOLE,
            "c: ab",
            "c fin",
            "tcp_data_after_fin",
            "tcp_data_after_fin",
        ],
    );
}

#[test]
fn a_fin_before_octets_that_arrived_is_no_end() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abcd");
            t.show('c', FIN | ACK, 0, 0, "ab");
            t.data('s', 0, 9, "");
            t.show('c', FIN | ACK, 6, 0, "");
            t.data('c', 4, 0, "efghi");
        },
        &[
            WHOLE,
            "c: abcd",
            "tcp_data_after_fin",
            "tcp_data_after_fin",
            "c: efghi",
        ],
    );
}

#[test]
fn a_fin_waits_for_what_precedes_it() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 5, 4, "");
            t.data('s', 0, 0, "220\n");
            t.data('c', 0, 4, "QUIT\n");
        },
        &[WHOLE, "s: 220\n", "c: QUIT\n", "c fin"],
    );
}

#[test]
fn a_lost_end_is_a_gap_before_the_fin() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.show('c', FIN | ACK, 9, 0, "");
            t.show('s', FIN | ACK, 0, 10, "");
            t.pass(1_000);
        },
        &[
            WHOLE,
            "c: abc",
            "c gap 6",
            "c fin",
            "s fin",
            "Finished at 0",
        ],
    );
}

#[test]
fn a_fin_given_up_as_a_gap_still_ends_the_stream_when_it_comes() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "abc");
            t.data('s', 0, 4, "ok");
            t.pass(1_000);
            t.show('c', FIN | ACK, 3, 2, "");
        },
        &[WHOLE, "c: abc", "c gap 1", "s: ok", "c fin"],
    );
}

#[test]
fn a_fin_that_arrives_alone_is_told_once_the_peer_speaks() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 0, 0, "");
            t.data('s', 0, 1, "220\n");
            t.show('s', FIN | ACK, 4, 1, "");
        },
        &[WHOLE, "c fin", "s: 220\n", "s fin", "Finished at 0"],
    );
}

#[test]
fn a_fin_before_the_start_of_the_stream_is_no_end() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 4, "ok");
            t.show('c', FIN | ACK, -3, 0, "zz");
            t.data('c', 0, 0, "abcd");
        },
        &[WHOLE, "tcp_data_after_fin", "c: abcd", "s: ok"],
    );
}

#[test]
fn a_reset_closes_once_all_before_it_is_told() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.show('c', RST | ACK, 5, 8, "");
            t.data('c', 0, 4, "DATA\n");
            t.data('s', 4, 5, "250\n");
            t.data('s', 8, 5, "ghost");
        },
        &[WHOLE, "s: 220\n", "c: DATA\n", "s: 250\n", "Reset at 0"],
    );
}

#[test]
fn a_reset_with_holes_before_it_closes_after_the_grace_time() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 2, 4, "c");
            t.show('c', RST, 5, 0, "");
            t.pass(1_000);
        },
        &[
            WHOLE,
            "s: 220\n",
            "c gap 2",
            "c: c",
            "c gap 2",
            "Reset at 0",
        ],
    );
}

#[test]
fn a_reset_tells_what_is_held_of_the_peer_first() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 2, 4, "cd");
            t.show('s', RST | ACK, 4, 0, "");
        },
        &[WHOLE, "s: 220\n", "c gap 2", "c: cd", "Reset at 0"],
    );
}

#[test]
fn a_reset_outside_the_window_is_ignored() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 0, 4, "");
            t.show('s', RST, 3, 0, "");
            t.show('s', RST, 5 + (1 << 20), 0, "");
            assert_eq!(t.counters.segments_implausible, 2);
            t.data('s', 4, 0, "more\n");
        },
        &[WHOLE, "s: 220\nmore\n"],
    );
}

#[test]
fn a_reset_at_what_the_peer_acknowledged_counts_though_more_was_sent() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "421\n");
            t.show('s', RST, 0, 0, "");
        },
        &[WHOLE, "s: 421\n", "Reset at 0"],
    );
}

#[test]
fn a_closed_flow_is_not_opened_again_by_late_segments() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "421\n");
            t.show('s', RST, 4, 0, "");
            t.data('s', 0, 0, "421\n");
            t.show('c', SYN, -1, 0, "");
            t.data('c', 0, 4, "ghost");
            assert_eq!((t.table.settled(), t.table.embryonic()), (1, 0));
            t.pass(121_000);
            assert_eq!(t.table.settled(), 0);
        },
        &[WHOLE, "s: 421\n", "Reset at 0"],
    );
}

#[test]
fn a_new_syn_uses_the_ports_again() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "one\n");
            t.c.isn = t.c.isn.plus(90_000);
            t.s.isn = t.s.isn.plus(1_000);
            t.handshake();
            t.data('s', 0, 0, "two\n");
            t.show('s', RST, 4, 0, "");
            t.c.isn = t.c.isn.plus(5);
            t.handshake();
            t.data('s', 0, 0, "three\n");
        },
        &[
            WHOLE,
            "s: one\n",
            "Reused at 0",
            WHOLE,
            "s: two\n",
            "Reset at 0",
            WHOLE,
            "s: three\n",
        ],
    );
}

#[test]
fn a_second_syn_cookie_is_no_new_flow() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            let isn = t.s.isn;
            t.s.isn = isn.plus(40_000);
            t.show('s', SYN | ACK, -1, 0, "");
            t.s.isn = isn;
            t.data('s', 4, 0, "more\n");
        },
        &[WHOLE, "s: 220\nmore\n"],
    );
}

#[test]
fn a_silent_flow_is_closed_and_forgotten() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.data('c', 3, 0, "def");
            t.pass(659_000);
            assert_eq!(t.table.len(), 1);
            t.pass(2_000);
            assert_eq!((t.table.len(), t.table.settled()), (0, 0));
            assert_eq!(t.counters.flows_timed_out, 1);
        },
        &[WHOLE, "s: 220\n", "c gap 3", "c: def", "IdleTimeout at 0"],
    );
}

#[test]
fn one_mad_timestamp_expires_nothing() {
    play(
        |t| {
            t.handshake();
            t.data('s', 0, 0, "220\n");
            t.now_ms = i64::MAX / MS;
            t.data('s', 4, 0, "250\n");
            t.now_ms = 1;
            t.data('c', 0, 8, "QUIT\n");
            t.now_ms = i64::MIN / MS;
            t.data('c', 5, 8, "!");
        },
        &[WHOLE, "s: 220\n250\n", "c: QUIT\n!"],
    );
}

#[test]
fn the_end_of_the_capture_tells_what_is_held() {
    play(
        |t| {
            t.handshake();
            t.data('c', 2, 4, "cd");
            t.now_ms = 8;
            t.data('s', 2, 0, "yz");
            t.finish();
            t.finish();
            let (gaps, data): (Vec<_>, Vec<_>) =
                t.notes.lines.drain(1..5).partition(|l| l.contains("gap"));
            assert_eq!(gaps.len(), 2);
            assert_eq!(data.len(), 2);
        },
        &[WHOLE, "EndOfCapture at 8"],
    );
}

#[test]
fn segments_far_from_any_window_are_ignored_and_counted() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "ab");
            t.data('c', 2 + (1 << 30) + 1, 0, "far");
            t.data('c', 2, (1 << 30) + 1, "liar");
            t.data('c', 2, 0, "cd");
            assert_eq!(t.counters.segments_implausible, 2);
        },
        &[WHOLE, "c: abcd"],
    );
}

#[test]
fn many_segments_far_from_any_window_are_a_new_flow() {
    play(
        |t| {
            t.handshake();
            t.data('c', 0, 0, "old");
            t.data('c', 5, 0, "held");
            for n in 0..17 {
                t.data('c', (1 << 31) + n, 0, "x");
            }
        },
        &[
            WHOLE,
            "c: old",
            "c gap 2",
            "c: held",
            "Reused at 0",
            MIDSTREAM,
            "c: x",
        ],
    );
}

// ---- the table

#[test]
fn a_flow_that_is_not_mail_is_looked_at_once() {
    play(
        |t| {
            t.handshake();
            t.show('c', FIN | ACK, 9, 0, "held");
            t.show_snapped('c', ACK, (0, 0), "not mail", 1);
            t.data('c', 14, 0, "again");
            t.data('s', 0, 14, "again");
            assert_eq!(t.counters.flows_not_mail, 1);
            assert_eq!((t.table.len(), t.table.settled()), (0, 1));
            assert_eq!(t.table.held_octets(), 0);
        },
        &[WHOLE, "c: not mail"],
    );
}

#[test]
fn a_full_table_drops_the_flow_that_was_silent_longest() {
    let limits = Limits {
        flows: 2,
        ..Limits::default()
    };
    play_with(
        &limits,
        |t| {
            let open = |t: &mut Stage, port: u16| {
                t.c.endpoint.port = port;
                t.pass(100);
                t.data('c', 0, 0, "x");
            };
            open(t, 1);
            open(t, 2);
            t.c.endpoint.port = 1;
            t.pass(100);
            t.data('c', 1, 0, "y");
            open(t, 3);
            assert_eq!(t.counters.flows_evicted, 1);
            assert_eq!(t.table.len(), 2);
            t.notes.lines.retain(|line| !line.starts_with("open"));
        },
        &[
            "c: x",
            "c: xy",
            "tcp_flow_evicted",
            "Evicted at 200",
            "c: x",
        ],
    );
}

#[test]
fn a_flood_of_half_open_flows_stays_within_its_roster() {
    let limits = Limits {
        embryonic_flows: 1_000,
        settled_flows: 1_000,
        ..Limits::default()
    };
    let mut stage = Stage::new(&limits, (1, 2), Side::Low);
    for n in 0..200_000_u32 {
        stage.c.endpoint.address = IpAddr::V4(Ipv4Addr::from_bits(n));
        stage.show('c', SYN, -1, 0, "");
    }
    assert_eq!(stage.table.embryonic(), 1_000);
    assert_eq!(stage.counters.flows_embryonic_evicted, 199_000);
    for n in 0..3_000_u32 {
        stage.c.endpoint.address = IpAddr::V4(Ipv4Addr::from_bits(n));
        stage.data('c', 0, 0, "not mail");
    }
    assert_eq!(stage.table.settled(), 1_000);
    assert_eq!(stage.counters.flows_settled_evicted, 2_000);
    stage.pass(121_000);
    assert_eq!((stage.table.embryonic(), stage.table.settled()), (0, 0));
}

#[test]
fn flows_close_by_start_and_then_by_endpoints_at_the_end() {
    let mut stage = Stage::new(&Limits::default(), (1, 2), Side::Low);
    for (at, port) in [(5, 9), (3, 8), (5, 1), (4, 7)] {
        stage.now_ms = at;
        stage.c.endpoint.port = port;
        stage.data('c', 0, 0, "x");
    }
    stage.notes.lines.clear();
    stage.finish();
    let at = ["3", "4", "5", "5"].map(|ms| format!("EndOfCapture at {ms}"));
    assert_eq!(stage.notes.lines, at);
}

#[test]
fn an_idle_flow_is_small() {
    let links = 2 * 16; // activity and waiting
    let index = 2 * 5; // one entry, half full
    assert!(std::mem::size_of::<super::flow::Flow<Scribe>>() + links + index < 400);
    assert!(std::mem::size_of::<super::embryo::Embryo>() + links < 130);
}
