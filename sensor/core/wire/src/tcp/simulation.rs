//! Random dialogues between two honest ends, as an unfaithful tap shows them, and hostile segments.
//!
//! The simulation plays two TCP ends over a network that keeps order, and logs each segment at the moment it is sent. The
//! tap then shuffles the log within a window, repeats segments and drops some. Whatever it shows, the conversation must
//! see every octet once, in its place, and no octet before what its sender had received when it first sent it.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use proptest::sample::Index;

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
const ACK: u8 = 16;

/// The octet at an offset of a stream: tells apart neighbours, sides and distant places.
fn octet(side: Side, offset: u64) -> u8 {
    (offset.wrapping_mul(31) ^ (offset >> 8) ^ (side as u64 * 0x55)) as u8
}

/// A segment of an honest end, by offsets.
#[derive(Clone, Copy, Debug)]
struct Sent {
    side: Side,
    seq: u64,
    octets: u64,
    ack: u64,
    flags: u8,
}

/// One end: what it sent, received, and knows to have arrived.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    sent: u64,
    received: u64,
    acknowledged: u64,
    in_flight: usize,
}

#[derive(Clone, Debug)]
enum Action {
    Send(Side, u64),
    /// Deliver the oldest segment in flight from this side.
    Deliver(Side),
    /// Send again, cut anew, from what is not acknowledged yet.
    Again(Side, Index, u64),
    Acknowledge(Side),
}

fn action() -> impl Strategy<Value = Action> {
    let side = || prop_oneof![Just(Side::Low), Just(Side::High)];
    prop_oneof![
        4 => (side(), 1_u64..200).prop_map(|(side, octets)| Action::Send(side, octets)),
        4 => side().prop_map(Action::Deliver),
        1 => (side(), any::<Index>(), 1_u64..300).prop_map(|(side, at, n)| Action::Again(side, at, n)),
        1 => side().prop_map(Action::Acknowledge),
    ]
}

/// What two honest ends sent, in the order of sending, and for each octet what its sender had received by then.
#[derive(Default)]
struct Dialogue {
    log: Vec<Sent>,
    needs: [Vec<u64>; 2],
    ends: [End; 2],
    wires: [Vec<Sent>; 2],
}

impl Dialogue {
    fn play(actions: &[Action]) -> Self {
        let mut dialogue = Self::default();
        for action in actions {
            dialogue.act(action);
        }
        for side in Side::BOTH {
            while dialogue.deliver(side) {}
            let end = dialogue.ends[side.index()];
            dialogue.send(side, end.sent, 0, FIN | ACK);
        }
        dialogue
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Send(side, octets) => {
                let end = self.ends[side.index()];
                let needs = &mut self.needs[side.index()];
                needs.resize(needs.len() + *octets as usize, end.received);
                self.ends[side.index()].sent += octets;
                self.send(*side, end.sent, *octets, ACK);
            }
            Action::Deliver(side) => {
                self.deliver(*side);
            }
            Action::Again(side, at, octets) => {
                let end = self.ends[side.index()];
                let unacknowledged = (end.sent - end.acknowledged) as usize;
                if unacknowledged > 0 {
                    let seq = end.acknowledged + at.index(unacknowledged) as u64;
                    self.send(*side, seq, (*octets).min(end.sent - seq), ACK);
                }
            }
            Action::Acknowledge(side) => {
                let end = self.ends[side.index()];
                self.send(*side, end.sent, 0, ACK);
            }
        }
    }

    fn send(&mut self, side: Side, seq: u64, octets: u64, flags: u8) {
        let sent = Sent {
            side,
            seq,
            octets,
            ack: self.ends[side.index()].received,
            flags,
        };
        self.log.push(sent);
        self.wires[side.index()].push(sent);
    }

    fn deliver(&mut self, side: Side) -> bool {
        let end = &mut self.ends[side.index()];
        let Some(segment) = self.wires[side.index()].get(end.in_flight).copied() else {
            return false;
        };
        end.in_flight += 1;
        let peer = &mut self.ends[side.peer().index()];
        peer.received = peer.received.max(segment.seq + segment.octets);
        peer.acknowledged = peer.acknowledged.max(segment.ack);
        true
    }
}

/// Checks every call against the dialogue.
struct Judge;

#[derive(Default)]
struct Court {
    needs: [Vec<u64>; 2],
    told: [u64; 2],
    missing: [u64; 2],
    fins: [bool; 2],
    closed: Vec<CloseReason>,
    opened: usize,
}

impl Conversation for Judge {
    type Context = Court;

    fn open(start: &FlowStart, court: &mut Court) -> Self {
        assert_eq!(start.saw_start, [true; 2]);
        assert_eq!(start.initiator, Some(Side::Low));
        court.opened += 1;
        Self
    }

    fn data(&mut self, side: Side, bytes: &[u8], _: Timestamp, court: &mut Court) -> Verdict {
        assert!(!court.fins[side.index()] && !bytes.is_empty());
        let (told, peer_told) = (court.told[side.index()], court.told[side.peer().index()]);
        for (offset, byte) in (told..).zip(bytes) {
            assert_eq!(*byte, octet(side, offset), "{side:?} {offset}");
            let needs = court.needs[side.index()][offset as usize];
            assert!(needs <= peer_told, "{side:?} {offset}: {needs} > {peer_told}");
        }
        court.told[side.index()] += bytes.len() as u64;
        Verdict::Continue
    }

    fn gap(&mut self, side: Side, octets: u64, _: Timestamp, court: &mut Court) -> Verdict {
        assert!(!court.fins[side.index()] && octets > 0);
        court.told[side.index()] += octets;
        court.missing[side.index()] += octets;
        Verdict::Continue
    }

    fn note(&mut self, anomaly: Anomaly, _: &mut Court) {
        assert_eq!(anomaly, Anomaly::TcpGap);
    }

    fn fin(&mut self, side: Side, _: Timestamp, court: &mut Court) {
        assert!(!std::mem::replace(&mut court.fins[side.index()], true));
    }

    fn close(&mut self, reason: CloseReason, _: Timestamp, court: &mut Court) {
        court.closed.push(reason);
    }
}

/// How the tap treats one segment of the log.
#[derive(Clone, Copy, Debug)]
struct Whim {
    late: u8,
    again: Option<u8>,
    lost: bool,
}

fn whims(lossy: bool) -> impl Strategy<Value = Vec<Whim>> {
    let lost = if lossy { 0.15 } else { 0.0 };
    let whim = (
        0_u8..24,
        prop::option::weighted(0.1, 0_u8..24),
        prop::bool::weighted(lost),
    );
    prop::collection::vec(whim.prop_map(|(late, again, lost)| Whim { late, again, lost }), 1..64)
}

/// The log as the tap shows it.
fn tapped(log: &[Sent], whims: &[Whim]) -> Vec<Sent> {
    let mut shown = Vec::new();
    for (n, (sent, whim)) in log.iter().zip(whims.iter().cycle()).enumerate() {
        if !whim.lost || sent.flags & FIN != 0 {
            shown.push((n + usize::from(whim.late), *sent));
            shown.extend(whim.again.map(|late| (n + usize::from(late), *sent)));
        }
    }
    shown.sort_by_key(|(at, _)| *at);
    shown.into_iter().map(|(_, sent)| sent).collect()
}

struct Tap {
    table: FlowTable<Judge>,
    counters: Counters,
    anomalies: AnomalyCounts,
    isns: [SeqNumber; 2],
    at: i64,
}

impl Tap {
    fn show(&mut self, sent: &Sent, court: &mut Court) {
        let end = |side: Side| Endpoint {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1 + side as u8)),
            port: 25,
        };
        let syn = u64::from(sent.flags & SYN == 0);
        let bytes: Vec<u8> = (sent.seq..sent.seq + sent.octets)
            .map(|offset| octet(sent.side, offset))
            .collect();
        self.at += 1_000;
        let segment = Segment {
            at: Timestamp(self.at),
            source: end(sent.side),
            destination: end(sent.side.peer()),
            seq: self.isns[sent.side.index()].plus((sent.seq + syn) as u32),
            ack: self.isns[sent.side.peer().index()].plus((sent.ack + 1) as u32),
            flags: Flags(sent.flags),
            payload: &bytes,
            snapped_octets: 0,
            reassembled: false,
        };
        let (counters, anomalies) = (&mut self.counters, &mut self.anomalies);
        self.table.segment(&segment, counters, anomalies, court);
    }
}

/// Shows a dialogue through a tap with *whims*; returns what the conversation was told.
fn watch(dialogue: &Dialogue, whims: &[Whim], isns: (u32, u32)) -> (Court, Counters) {
    let mut court = Court {
        needs: dialogue.needs.clone(),
        ..Court::default()
    };
    let mut tap = Tap {
        table: FlowTable::new(&Limits::default()),
        counters: Counters::default(),
        anomalies: AnomalyCounts::default(),
        isns: [SeqNumber(isns.0), SeqNumber(isns.1)],
        at: 0,
    };
    for (side, flags) in [(Side::Low, SYN), (Side::High, SYN | ACK)] {
        let syn = Sent {
            side,
            seq: 0,
            octets: 0,
            ack: 0,
            flags,
        };
        tap.show(&syn, &mut court);
    }
    for sent in tapped(&dialogue.log, whims) {
        tap.show(&sent, &mut court);
    }
    tap.table.finish(&mut tap.counters, &mut tap.anomalies, &mut court);
    assert_eq!(tap.table.held_octets(), 0);
    (court, tap.counters)
}

fn isns() -> impl Strategy<Value = (u32, u32)> {
    let isn = || prop_oneof![any::<u32>(), u32::MAX - 2_000..=u32::MAX];
    (isn(), isn())
}

proptest! {
    #[test]
    fn a_tap_that_loses_nothing_hides_nothing(
        actions in prop::collection::vec(action(), 0..60), whims in whims(false), isns in isns(),
    ) {
        let dialogue = Dialogue::play(&actions);
        let (court, counters) = watch(&dialogue, &whims, isns);
        prop_assert_eq!(court.told, dialogue.ends.map(|end| end.sent));
        prop_assert_eq!(court.missing, [0, 0]);
        prop_assert_eq!(counters.gaps + counters.octets_conflicting + counters.segments_implausible, 0);
        if court.opened > 0 {
            prop_assert_eq!(court.fins, [true; 2]);
            prop_assert_eq!(court.closed, vec![CloseReason::Finished]);
        }
    }

    #[test]
    fn what_a_lossy_tap_hides_is_told_exactly(
        actions in prop::collection::vec(action(), 0..60), whims in whims(true), isns in isns(),
    ) {
        let dialogue = Dialogue::play(&actions);
        let (court, counters) = watch(&dialogue, &whims, isns);
        prop_assert_eq!(court.told, dialogue.ends.map(|end| end.sent));
        prop_assert_eq!(counters.gap_octets, court.missing[0] + court.missing[1]);
        prop_assert_eq!(court.closed.len(), court.opened);
        if court.opened > 0 {
            prop_assert_eq!(court.fins, [true; 2]);
        }
    }
}

// ---- hostile segments

/// Checks only what holds for any segments at all: the order of calls.
#[derive(Default)]
struct Guard {
    fins: [bool; 2],
}

#[derive(Default)]
struct Watch {
    open: usize,
    told_octets: u64,
}

impl Conversation for Guard {
    type Context = Watch;

    fn open(_: &FlowStart, watch: &mut Watch) -> Self {
        watch.open += 1;
        Self::default()
    }

    fn data(&mut self, side: Side, bytes: &[u8], _: Timestamp, watch: &mut Watch) -> Verdict {
        assert!(!bytes.is_empty() && !self.fins[side.index()]);
        watch.told_octets += bytes.len() as u64;
        if bytes[0] == 7 {
            watch.open -= 1;
            return Verdict::NotMail;
        }
        Verdict::Continue
    }

    fn gap(&mut self, side: Side, octets: u64, _: Timestamp, _: &mut Watch) -> Verdict {
        assert!(octets > 0 && !self.fins[side.index()]);
        Verdict::Continue
    }

    fn note(&mut self, _: Anomaly, _: &mut Watch) {}

    fn fin(&mut self, side: Side, _: Timestamp, _: &mut Watch) {
        assert!(!std::mem::replace(&mut self.fins[side.index()], true));
    }

    fn close(&mut self, _: CloseReason, _: Timestamp, watch: &mut Watch) {
        watch.open -= 1;
    }
}

/// Numbers close together, so that segments meet, with a few far away.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => (0_u32..60).prop_map(|n| n.wrapping_sub(30)),
        1 => any::<u32>(),
        1 => (0_u32..9).prop_map(|n| (1_u32 << 30).wrapping_add(n)),
    ]
}

#[derive(Clone, Debug)]
struct Hostile {
    ports: (u16, u16),
    seq: u32,
    ack: u32,
    flags: u8,
    payload: Vec<u8>,
    snapped_octets: u32,
    step_ns: i64,
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let flags = prop_oneof![
        4 => Just(ACK), 1 => Just(SYN), 1 => Just(SYN | ACK), 1 => Just(FIN | ACK), 1 => any::<u8>(),
    ];
    let snapped = prop_oneof![8 => Just(0_u32), 1 => 0_u32..9, 1 => any::<u32>()];
    let step = prop_oneof![
        8 => 0_i64..300_000_000, 1 => any::<i64>(), 1 => 0_i64..700_000_000_000,
    ];
    let payload = prop::collection::vec(0_u8..8, 0..12);
    ((0_u16..3, 0_u16..2), number(), number(), flags, payload, snapped, step).prop_map(
        |(ports, seq, ack, flags, payload, snapped_octets, step_ns)| Hostile {
            ports,
            seq,
            ack,
            flags,
            payload,
            snapped_octets,
            step_ns,
        },
    )
}

proptest! {
    #[test]
    fn hostile_segments_keep_to_the_bounds(segments in prop::collection::vec(hostile(), 0..200), tight: bool) {
        let limits = match tight {
            false => Limits::default(),
            true => Limits {
                flows: 2,
                embryonic_flows: 1,
                settled_flows: 1,
                out_of_order_octets_per_flow: 300,
                out_of_order_segments_per_flow: 3,
                causal_hold_octets_per_flow: 200,
                out_of_order_octets: 400,
                ..Limits::default()
            },
        };
        let mut table = FlowTable::<Guard>::new(&limits);
        let (mut counters, mut anomalies) = (Counters::default(), AnomalyCounts::default());
        let (mut watch, mut at) = (Watch::default(), 0_i64);
        let sent_octets: u64 = segments.iter().map(|segment| segment.payload.len() as u64).sum();
        for hostile in &segments {
            at = at.wrapping_add(hostile.step_ns);
            let end = |port| Endpoint { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port };
            let segment = Segment {
                at: Timestamp(at),
                source: end(hostile.ports.0),
                destination: end(hostile.ports.1),
                seq: SeqNumber(hostile.seq),
                ack: SeqNumber(hostile.ack),
                flags: Flags(hostile.flags),
                payload: &hostile.payload,
                snapped_octets: hostile.snapped_octets,
                reassembled: false,
            };
            table.segment(&segment, &mut counters, &mut anomalies, &mut watch);
            prop_assert!(table.len() <= limits.flows);
            prop_assert!(table.embryonic() <= limits.embryonic_flows);
            prop_assert!(table.settled() <= limits.settled_flows);
            prop_assert!(table.held_octets() <= limits.out_of_order_octets);
            prop_assert!(watch.open <= table.len());
        }
        table.finish(&mut counters, &mut anomalies, &mut watch);
        prop_assert_eq!((watch.open, table.held_octets(), table.len()), (0, 0, 0));
        prop_assert!(watch.told_octets <= sent_octets);
    }
}
