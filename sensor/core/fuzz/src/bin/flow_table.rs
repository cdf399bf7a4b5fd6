//! Segments in any order: each octet of a stream is told at most once, in order, and the table stays within its bounds.
#![no_main]

use core_fuzz::segments::Segments;
use core_fuzz::small_limits;
use libfuzzer_sys::fuzz_target;
use wire::anomaly::{Anomaly, AnomalyCounts};
use wire::counters::Counters;
use wire::frame::Timestamp;
use wire::tcp::conversation::{CloseReason, Conversation, FlowStart, Side, Verdict};
use wire::tcp::table::FlowTable;

/// Listens to one flow. The context counts how many are open.
struct Listener {
    finished: [bool; 2],
}

impl Conversation for Listener {
    type Context = i64;

    fn open(start: &FlowStart, open: &mut i64) -> Self {
        assert!((start.low.address, start.low.port) <= (start.high.address, start.high.port));
        *open += 1;
        Self { finished: [false; 2] }
    }

    fn data(&mut self, side: Side, bytes: &[u8], _at: Timestamp, open: &mut i64) -> Verdict {
        assert!(!bytes.is_empty() && !self.finished[side.index()]);
        if bytes.contains(&0) {
            *open -= 1;
            return Verdict::NotMail;
        }
        Verdict::Continue
    }

    fn gap(&mut self, side: Side, octets: u64, _at: Timestamp, _open: &mut i64) -> Verdict {
        assert!(octets > 0 && !self.finished[side.index()]);
        Verdict::Continue
    }

    fn note(&mut self, _anomaly: Anomaly, _open: &mut i64) {}

    fn fin(&mut self, side: Side, _at: Timestamp, _open: &mut i64) {
        assert!(!std::mem::replace(&mut self.finished[side.index()], true));
    }

    fn close(&mut self, _reason: CloseReason, _last_seen: Timestamp, open: &mut i64) {
        *open -= 1;
    }
}

fuzz_target!(|octets: &[u8]| {
    let limits = small_limits();
    let mut table = FlowTable::<Listener>::new(&limits);
    let (mut counters, mut anomalies, mut open) = (Counters::default(), AnomalyCounts::default(), 0);
    for made in Segments::new(octets) {
        table.segment(&made.segment(), &mut counters, &mut anomalies, &mut open);
        assert!(table.len() <= limits.flows && table.embryonic() <= limits.embryonic_flows);
        assert!(table.settled() <= limits.settled_flows);
        assert!(table.held_octets() <= limits.out_of_order_octets);
        assert!(open >= 0 && open as usize <= table.len());
    }
    table.finish(&mut counters, &mut anomalies, &mut open);
    assert_eq!((open, table.held_octets()), (0, 0));
});
