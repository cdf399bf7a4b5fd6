//! Reassembly of IP datagrams from their fragments (RFC 791 3.2, RFC 8200 4.5), bounded and timed by packet time.
//!
//! A datagram is known by its two addresses, protocol and identification. Its fragments come in any order, twice, or
//! overlapping. Where copies of an octet differ, the first one counts in IPv4, as in TCP; in IPv6 the datagram is dead,
//! and so are its later fragments (RFC 5722 4). A dead datagram stays in the table, empty, until its time is over, so
//! that what still comes for it does not start a new one.
//!
//! What is bounded: datagrams, fragments of each, octets in all, and their age. To make room the oldest goes first.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::pieces::{Agreement, Pieces, Run};
use super::Place;
use crate::anomaly::{Anomaly, AnomalyCounts};
use crate::counters::Counters;
use crate::frame::Timestamp;
use crate::limits::Limits;
use crate::link::Next;

const NS_PER_MS: i64 = 1_000_000;

/// Octets of payload in the largest IPv4 datagram: its total length counts a header too. More is a "ping of death".
const MAX_V4_PAYLOAD_OCTETS: usize = 65_535 - 20;
/// Octets of payload in the largest IPv6 datagram, jumbograms apart, which may not be fragmented (RFC 2675 3).
const MAX_V6_PAYLOAD_OCTETS: usize = 65_535;

/// One fragment, as its packet delivers it.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Source and destination.
    pub addresses: (IpAddr, IpAddr),
    /// The rules that hold for it.
    pub version: Version,
    /// What the datagram carries; that of the first fragment counts.
    pub next: Next,
    /// Where its octets belong.
    pub place: Place,
    /// The captured octets.
    pub octets: &'a [u8],
    /// Octets of it that the snap length cut off.
    pub snapped: usize,
}

/// What differs between the versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// IPv4, with the protocol number that is part of the datagram's identity (RFC 791 3.2).
    V4 {
        /// The protocol number.
        protocol: u8,
    },
    /// IPv6, where addresses and identification are all (RFC 8200 4.5).
    V6,
}

impl Version {
    fn max_payload_octets(self) -> usize {
        match self {
            Self::V4 { .. } => MAX_V4_PAYLOAD_OCTETS,
            Self::V6 => MAX_V6_PAYLOAD_OCTETS,
        }
    }
}

/// A datagram that is whole again.
#[derive(Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Source and destination.
    pub addresses: (IpAddr, IpAddr),
    /// What it carries.
    pub next: Next,
    /// Its payload, from the start up to what a snap length cut off.
    pub octets: Vec<u8>,
    /// Octets of the payload behind those.
    pub snapped: usize,
}

/// The datagrams under reassembly.
#[derive(Debug)]
pub struct Defragmenter {
    datagrams: HashMap<Key, Unfinished>,
    /// The same datagrams in the order of their first fragment.
    by_age: BTreeMap<u64, Key>,
    /// The number that the next datagram gets in that order.
    next_number: u64,
    /// Octets held in all datagrams; `<= max_octets`.
    held: usize,
    max_datagrams: usize,
    max_fragments: usize,
    max_octets: usize,
    timeout_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    addresses: (IpAddr, IpAddr),
    version: Version,
    identification: u32,
}

#[derive(Debug)]
struct Unfinished {
    number: u64,
    first_at: Timestamp,
    /// Fragments that would be lost with it.
    fragments: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Fragments are missing; what it carries is known from the first one on.
    Open(Pieces, Next),
    /// Given up, and why: whatever comes for it is dropped.
    Dead(Anomaly),
}

/// Where the outcome of a fragment is counted.
struct Tally<'t> {
    counters: &'t mut Counters,
    anomalies: &'t mut AnomalyCounts,
}

impl Tally<'_> {
    fn dropped(&mut self, fragments: usize, why: Anomaly) {
        self.counters.fragments_dropped += fragments as u64;
        self.anomalies.note(why);
    }
}

impl Defragmenter {
    /// An empty table with the bounds of *limits*.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let timeout_ms = i64::try_from(limits.fragment_timeout_ms).unwrap_or(i64::MAX);
        Self {
            datagrams: HashMap::new(),
            by_age: BTreeMap::new(),
            next_number: 0,
            held: 0,
            max_datagrams: limits.fragment_datagrams.max(1),
            max_fragments: limits.fragments_per_datagram,
            max_octets: limits.fragment_octets,
            timeout_ns: timeout_ms.saturating_mul(NS_PER_MS).unsigned_abs(),
        }
    }

    /// Octets held for fragments.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.held
    }

    /// Takes one fragment seen *at* packet time, and gives the datagram that it makes whole.
    pub fn push(
        &mut self,
        at: Timestamp,
        fragment: &Fragment<'_>,
        counters: &mut Counters,
        anomalies: &mut AnomalyCounts,
    ) -> Option<Datagram> {
        let mut tally = Tally { counters, anomalies };
        tally.counters.fragments += 1;
        self.expire(at, &mut tally);
        match self.place(at, fragment, &mut tally) {
            Ok(whole) => whole,
            Err(why) => {
                tally.dropped(1, why);
                None
            }
        }
    }

    /// Gives up all that is unfinished, and counts it: the capture is over.
    pub fn finish(&mut self, counters: &mut Counters, anomalies: &mut AnomalyCounts) {
        let mut tally = Tally { counters, anomalies };
        while self.drop_oldest(Anomaly::IpFragmentTimeout, &mut tally) {}
    }

    fn place(
        &mut self,
        at: Timestamp,
        fragment: &Fragment<'_>,
        tally: &mut Tally<'_>,
    ) -> Result<Option<Datagram>, Anomaly> {
        let run = run_of(fragment, tally)?;
        self.make_room(run.octets.len(), tally)?;
        let key = Key {
            addresses: fragment.addresses,
            version: fragment.version,
            identification: fragment.place.identification,
        };
        self.open(key, at, fragment.next, tally);
        let Some(datagram) = self.datagrams.get_mut(&key) else {
            return Err(Anomaly::IpFragmentLimit);
        };
        let held_before = datagram.held();
        let placed = datagram.add(fragment, &run, self.max_fragments, tally);
        self.held = self.held - held_before + datagram.held();
        let whole = datagram.is_whole();
        placed?;
        Ok(if whole { self.take(&key, tally) } else { None })
    }

    /// Drops the oldest datagrams until *octets* more fit.
    fn make_room(&mut self, octets: usize, tally: &mut Tally<'_>) -> Result<(), Anomaly> {
        while self.held + octets > self.max_octets {
            if !self.drop_oldest(Anomaly::IpFragmentLimit, tally) {
                return Err(Anomaly::IpFragmentLimit);
            }
        }
        Ok(())
    }

    /// Makes sure that there is a datagram of *key* which is not too old.
    fn open(&mut self, key: Key, at: Timestamp, next: Next, tally: &mut Tally<'_>) {
        match self.datagrams.get(&key) {
            Some(known) if !self.is_late(known.first_at, at) => return,
            Some(_) => self.drop_datagram(&key, Anomaly::IpFragmentTimeout, tally),
            None if self.datagrams.len() >= self.max_datagrams => {
                self.drop_oldest(Anomaly::IpFragmentLimit, tally);
            }
            None => {}
        }
        let number = self.next_number;
        self.next_number += 1;
        self.by_age.insert(number, key);
        let state = State::Open(Pieces::default(), next);
        self.datagrams.insert(
            key,
            Unfinished {
                number,
                first_at: at,
                fragments: 0,
                state,
            },
        );
    }

    fn expire(&mut self, at: Timestamp, tally: &mut Tally<'_>) {
        while let Some((_, key)) = self.by_age.first_key_value() {
            let first_at = self.datagrams.get(key).map(|oldest| oldest.first_at);
            if first_at.is_some_and(|first_at| !self.is_late(first_at, at)) {
                return;
            }
            self.drop_oldest(Anomaly::IpFragmentTimeout, tally);
        }
    }

    /// Packet time may also step back, when captures are read one after the other: then the distance counts.
    fn is_late(&self, first_at: Timestamp, at: Timestamp) -> bool {
        at.since_ns(first_at).unsigned_abs() > self.timeout_ns
    }

    fn drop_oldest(&mut self, why: Anomaly, tally: &mut Tally<'_>) -> bool {
        let oldest = self.by_age.first_key_value().map(|(_, key)| *key);
        if let Some(key) = oldest {
            self.drop_datagram(&key, why, tally);
        }
        oldest.is_some()
    }

    fn drop_datagram(&mut self, key: &Key, why: Anomaly, tally: &mut Tally<'_>) {
        if let Some(dropped) = self.remove(key) {
            // A dead one was counted when it died.
            if matches!(dropped.state, State::Open(..)) {
                tally.dropped(dropped.fragments, why);
            }
        }
    }

    fn take(&mut self, key: &Key, tally: &mut Tally<'_>) -> Option<Datagram> {
        let State::Open(pieces, next) = self.remove(key)?.state else {
            return None;
        };
        tally.counters.datagrams_reassembled += 1;
        let (octets, snapped) = pieces.take();
        Some(Datagram {
            addresses: key.addresses,
            next,
            octets,
            snapped,
        })
    }

    fn remove(&mut self, key: &Key) -> Option<Unfinished> {
        let removed = self.datagrams.remove(key)?;
        self.by_age.remove(&removed.number);
        self.held -= removed.held();
        Some(removed)
    }
}

impl Unfinished {
    fn held(&self) -> usize {
        match &self.state {
            State::Open(pieces, _) => pieces.held(),
            State::Dead(_) => 0,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(&self.state, State::Open(pieces, _) if pieces.is_whole())
    }

    /// Puts *run* in its place; an error says why this fragment is dropped.
    fn add(
        &mut self,
        fragment: &Fragment<'_>,
        run: &Run<'_>,
        max_fragments: usize,
        tally: &mut Tally<'_>,
    ) -> Result<(), Anomaly> {
        let (pieces, next) = match &mut self.state {
            State::Open(pieces, next) => (pieces, next),
            State::Dead(why) => return Err(*why),
        };
        if self.fragments >= max_fragments {
            return Err(self.die(Anomaly::IpFragmentLimit, tally));
        }
        match (pieces.agreement(run), fragment.version) {
            (Agreement::Agrees, _) => {}
            (Agreement::Differs, Version::V4 { .. }) => {
                tally.anomalies.note(Anomaly::IpFragmentOverlap);
            }
            (Agreement::WrongEnd, Version::V4 { .. }) => return Err(Anomaly::IpMalformed),
            (Agreement::Differs, Version::V6) => {
                return Err(self.die(Anomaly::IpFragmentOverlap, tally));
            }
            (Agreement::WrongEnd, Version::V6) => {
                return Err(self.die(Anomaly::IpMalformed, tally));
            }
        }
        if run.start == 0 {
            *next = fragment.next;
        }
        pieces.insert(run);
        self.fragments += 1;
        Ok(())
    }

    /// Gives up what is held; the fragment at hand is for the caller to drop, with the anomaly that comes back.
    fn die(&mut self, why: Anomaly, tally: &mut Tally<'_>) -> Anomaly {
        tally.counters.fragments_dropped += self.fragments as u64;
        self.state = State::Dead(why);
        why
    }
}

/// The places that *fragment* covers.
///
/// All but the last must end on a multiple of eight. IPv4 hosts cut off what is over, as Linux does; IPv6 hosts refuse
/// the fragment (RFC 8200 4.5). An empty fragment, or one that ends beyond the largest datagram, has no place.
fn run_of<'a>(fragment: &Fragment<'a>, tally: &mut Tally<'_>) -> Result<Run<'a>, Anomaly> {
    let start = fragment.place.offset;
    let mut octets = fragment.octets.len().saturating_add(fragment.snapped);
    if fragment.place.more && octets % 8 != 0 {
        if fragment.version == Version::V6 {
            return Err(Anomaly::IpMalformed);
        }
        tally.anomalies.note(Anomaly::IpMalformed);
        octets -= octets % 8;
    }
    let end = start.saturating_add(octets);
    if octets == 0 || end > fragment.version.max_payload_octets() {
        return Err(Anomaly::IpMalformed);
    }
    Ok(Run {
        start,
        end,
        octets: &fragment.octets[..fragment.octets.len().min(octets)],
        last: !fragment.place.more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V4: Version = Version::V4 { protocol: 6 };
    const MS: i64 = NS_PER_MS;

    struct Bench {
        table: Defragmenter,
        counters: Counters,
        anomalies: AnomalyCounts,
    }

    fn bench(change: impl FnOnce(&mut Limits)) -> Bench {
        let mut limits = Limits::default();
        change(&mut limits);
        Bench {
            table: Defragmenter::new(&limits),
            counters: Counters::default(),
            anomalies: AnomalyCounts::default(),
        }
    }

    impl Bench {
        fn push_at(&mut self, at_ms: i64, fragment: &Fragment<'_>) -> Option<Datagram> {
            self.table
                .push(Timestamp(at_ms * MS), fragment, &mut self.counters, &mut self.anomalies)
        }

        fn push(&mut self, fragment: &Fragment<'_>) -> Option<Vec<u8>> {
            self.push_at(0, fragment).map(|whole| whole.octets)
        }

        fn count(&self, anomaly: Anomaly) -> u64 {
            self.anomalies.count(anomaly)
        }
    }

    fn piece(version: Version, identification: u32, offset: usize, octets: &[u8], more: bool) -> Fragment<'_> {
        Fragment {
            addresses: (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])),
            version,
            next: Next::Tcp,
            place: Place {
                identification,
                offset,
                more,
            },
            octets,
            snapped: 0,
        }
    }

    #[test]
    fn fragments_out_of_order_and_twice_give_the_datagram_once() {
        for version in [V4, Version::V6] {
            let mut b = bench(|_| {});
            assert_eq!(b.push(&piece(version, 1, 8, b"ijklmnop", true)), None);
            assert_eq!(b.push(&piece(version, 1, 16, b"qr", false)), None);
            assert_eq!(b.push(&piece(version, 1, 16, b"qr", false)), None);
            let whole = b.push(&piece(version, 1, 0, b"abcdefgh", true));
            assert_eq!(whole.as_deref(), Some(&b"abcdefghijklmnopqr"[..]));
            assert_eq!(b.table.held_octets(), 0);
            assert_eq!(b.counters.fragments, 4);
            assert_eq!(b.counters.datagrams_reassembled, 1);
            assert_eq!(b.counters.fragments_dropped, 0);
            assert_eq!(b.anomalies, AnomalyCounts::default());
        }
    }

    #[test]
    fn datagrams_with_another_identity_are_kept_apart() {
        let first = piece(V4, 1, 0, b"abcdefgh", true);
        let mut others = [first; 4];
        others[0].place.identification = 2;
        others[1].version = Version::V4 { protocol: 17 };
        others[2].addresses.0 = IpAddr::from([192, 0, 2, 3]);
        others[3].addresses = (first.addresses.1, first.addresses.0);
        for other in others {
            let mut b = bench(|_| {});
            assert_eq!(b.push(&first), None);
            let last = Fragment {
                place: Place {
                    offset: 8,
                    more: false,
                    ..other.place
                },
                ..other
            };
            assert_eq!(b.push(&last), None, "{other:?}");
        }
    }

    #[test]
    fn the_first_fragment_says_what_the_datagram_carries() {
        let mut b = bench(|_| {});
        let late = Fragment {
            next: Next::Other,
            ..piece(Version::V6, 1, 8, b"x", false)
        };
        assert_eq!(b.push_at(0, &late), None);
        let whole = b.push_at(0, &piece(Version::V6, 1, 0, b"abcdefgh", true));
        assert_eq!(whole.map(|whole| whole.next), Some(Next::Tcp));
    }

    #[test]
    fn of_copies_that_differ_ipv4_keeps_the_first() {
        let mut b = bench(|_| {});
        b.push(&piece(V4, 1, 0, b"abcdefgh", true));
        b.push(&piece(V4, 1, 0, b"ABCDEFGHIJKLMNOP", true));
        let whole = b.push(&piece(V4, 1, 16, b"qr", false));
        assert_eq!(whole.as_deref(), Some(&b"abcdefghIJKLMNOPqr"[..]));
        assert_eq!(b.count(Anomaly::IpFragmentOverlap), 1);
    }

    #[test]
    fn copies_that_differ_kill_an_ipv6_datagram_and_what_comes_later() {
        let mut b = bench(|_| {});
        b.push(&piece(Version::V6, 1, 0, b"abcdefgh", true));
        b.push(&piece(Version::V6, 1, 0, b"abcdefgX", true));
        b.push(&piece(Version::V6, 1, 0, b"abcdefgh", true));
        assert_eq!(b.push(&piece(Version::V6, 1, 8, b"ij", false)), None);
        assert_eq!(b.counters.fragments_dropped, 4);
        assert_eq!(b.table.held_octets(), 0);
        assert_eq!(b.count(Anomaly::IpFragmentOverlap), 3);
    }

    #[test]
    fn equal_copies_that_overlap_are_fine_in_both_versions() {
        for version in [V4, Version::V6] {
            let mut b = bench(|_| {});
            b.push(&piece(version, 1, 0, b"abcdefghijklmnop", true));
            let whole = b.push(&piece(version, 1, 8, b"ijklmnopqr", false));
            assert_eq!(whole.as_deref(), Some(&b"abcdefghijklmnopqr"[..]));
            assert_eq!(b.anomalies, AnomalyCounts::default());
        }
    }

    #[test]
    fn a_second_end_is_refused_in_ipv4_and_leaves_the_datagram_as_it_was() {
        let mut b = bench(|_| {});
        b.push(&piece(V4, 1, 8, b"ij", false));
        b.push(&piece(V4, 1, 8, b"ijkl", false));
        assert_eq!(b.count(Anomaly::IpMalformed), 1);
        let whole = b.push(&piece(V4, 1, 0, b"abcdefgh", true));
        assert_eq!(whole.as_deref(), Some(&b"abcdefghij"[..]));
    }

    #[test]
    fn what_is_over_a_multiple_of_eight_is_cut_in_ipv4_and_refused_in_ipv6() {
        for (version, whole) in [(V4, Some(&b"abcdefghij"[..])), (Version::V6, None)] {
            let mut b = bench(|_| {});
            b.push(&piece(version, 1, 0, b"abcdefghXYZ", true));
            assert_eq!(b.push(&piece(version, 1, 8, b"ij", false)).as_deref(), whole);
            assert_eq!(b.count(Anomaly::IpMalformed), 1);
        }
    }

    #[test]
    fn a_datagram_larger_than_its_length_field_can_tell_is_refused() {
        let octets = [0; 65_528];
        for (version, fits) in [(V4, 65_515 - 65_512), (Version::V6, 65_535 - 65_512)] {
            let mut b = bench(|_| {});
            b.push(&piece(version, 1, 0, &octets[..65_512], true));
            assert_eq!(b.push(&piece(version, 1, 65_512, &octets[..fits + 1], false)), None);
            assert_eq!(b.count(Anomaly::IpMalformed), 1);
            let whole = b.push(&piece(version, 1, 65_512, &octets[..fits], false));
            assert_eq!(whole.map(|octets| octets.len()), Some(65_512 + fits));
        }
    }

    #[test]
    fn empty_fragments_are_refused() {
        let mut b = bench(|_| {});
        assert_eq!(b.push(&piece(V4, 1, 8, b"", false)), None);
        assert_eq!(b.push(&piece(V4, 1, 0, b"abc", true)), None);
        assert_eq!(b.counters.fragments_dropped, 2);
        assert_eq!(b.table.held_octets(), 0);
    }

    #[test]
    fn a_datagram_is_given_up_when_its_time_is_over_by_packet_time() {
        // (milliseconds between the fragments, whole)
        for (later, whole) in [(30_000, true), (30_001, false), (-30_000, true), (-30_001, false)] {
            let mut b = bench(|_| {});
            b.push_at(0, &piece(V4, 1, 0, b"abcdefgh", true));
            let got = b.push_at(later, &piece(V4, 1, 8, b"ij", false));
            assert_eq!(got.is_some(), whole, "{later}");
            assert_eq!(b.count(Anomaly::IpFragmentTimeout), u64::from(!whole));
            assert_eq!(b.counters.fragments_dropped, u64::from(!whole));
        }
    }

    #[test]
    fn a_full_table_drops_its_oldest_datagram() {
        let mut b = bench(|limits| limits.fragment_datagrams = 2);
        for identification in [1, 2, 3] {
            b.push(&piece(V4, identification, 0, b"abcdefgh", true));
        }
        assert_eq!(b.count(Anomaly::IpFragmentLimit), 1);
        assert!(b.push(&piece(V4, 3, 8, b"x", false)).is_some());
        assert!(b.push(&piece(V4, 2, 8, b"x", false)).is_some());
        assert!(b.push(&piece(V4, 1, 8, b"x", false)).is_none());
    }

    #[test]
    fn octets_beyond_the_bound_push_out_the_oldest() {
        let mut b = bench(|limits| limits.fragment_octets = 20);
        for identification in [1, 2, 3] {
            b.push(&piece(V4, identification, 0, b"abcdefgh", true));
        }
        assert_eq!(b.table.held_octets(), 16);
        assert_eq!(b.push(&piece(V4, 4, 0, &[0; 24], true)), None);
        assert_eq!(b.table.held_octets(), 0);
        assert_eq!(b.counters.fragments_dropped, 4);
    }

    #[test]
    fn a_datagram_in_too_many_pieces_is_given_up_for_good() {
        let mut b = bench(|limits| limits.fragments_per_datagram = 2);
        for offset in [0, 8, 16] {
            b.push(&piece(V4, 1, offset, b"abcdefgh", true));
        }
        assert_eq!(b.table.held_octets(), 0);
        assert_eq!(b.push(&piece(V4, 1, 0, b"abcdefgh", true)), None);
        assert_eq!(b.push(&piece(V4, 1, 8, b"x", false)), None);
        assert_eq!(b.counters.fragments_dropped, 5);
        assert_eq!(b.count(Anomaly::IpFragmentLimit), 3);
    }

    #[test]
    fn finishing_counts_what_never_became_whole() {
        let mut b = bench(|_| {});
        b.push(&piece(V4, 1, 0, b"abcdefgh", true));
        b.push(&piece(V4, 1, 8, b"abcdefgh", true));
        b.push(&piece(V4, 2, 0, b"abcdefgh", true));
        b.table.finish(&mut b.counters, &mut b.anomalies);
        assert_eq!(b.counters.fragments_dropped, 3);
        assert_eq!(b.table.held_octets(), 0);
    }

    proptest! {
        /// Whatever comes: bounds hold, and each fragment is in a datagram or counted as dropped.
        #[test]
        fn bounds_hold_and_every_fragment_is_accounted_for(
            steps in prop::collection::vec(
                (0..6_u32, 0..6_usize, 1..40_usize, any::<(bool, bool, bool)>(), 0..20_000_i64),
                1..60,
            )
        ) {
            let mut b = bench(|limits| {
                limits.fragment_datagrams = 4;
                limits.fragments_per_datagram = 5;
                limits.fragment_octets = 150;
            });
            let octets = [7; 40];
            let (mut at_ms, mut in_datagrams) = (0, 0);
            for (identification, unit, len, (more, v6, back), pass_ms) in &steps {
                at_ms += if *back { -pass_ms } else { *pass_ms };
                let version = if *v6 { Version::V6 } else { V4 };
                let octets = if *more { &octets[..len.next_multiple_of(8)] } else { &octets[..*len] };
                let unfinished: u64 = b.table.datagrams.values().map(|d| d.lost_fragments()).sum();
                let dropped = b.counters.fragments_dropped;
                if b.push_at(at_ms, &piece(version, *identification, unit * 8, octets, *more)).is_some() {
                    let left: u64 = b.table.datagrams.values().map(|d| d.lost_fragments()).sum();
                    in_datagrams += unfinished + 1 - left - (b.counters.fragments_dropped - dropped);
                }
                let held: usize = b.table.datagrams.values().map(Unfinished::held).sum();
                prop_assert_eq!(held, b.table.held_octets());
                prop_assert!(held <= 150 && b.table.datagrams.len() <= 4);
                prop_assert_eq!(b.table.datagrams.len(), b.table.by_age.len());
            }
            b.table.finish(&mut b.counters, &mut b.anomalies);
            prop_assert_eq!(b.table.held_octets(), 0);
            prop_assert_eq!(b.counters.fragments, b.counters.fragments_dropped + in_datagrams);
        }
    }

    impl Unfinished {
        /// Fragments that would be counted as dropped with it.
        fn lost_fragments(&self) -> u64 {
            match self.state {
                State::Open(..) => self.fragments as u64,
                State::Dead(_) => 0,
            }
        }
    }
}
