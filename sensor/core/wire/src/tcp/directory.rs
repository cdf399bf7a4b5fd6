//! Where a flow's state stands: one hash lookup from the pair of endpoints to a numbered place.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::clock::Elapsed;
use super::conversation::Side;
use super::embryo::Embryo;
use super::flow::Flow;
use super::roster::Roster;
use super::segment::{Endpoint, Segment};
use super::seq::SeqNumber;

/// The two ends of a flow, the lower (address, port) first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowKey {
    pub low: Endpoint,
    pub high: Endpoint,
}

impl FlowKey {
    /// The flow of *segment*, and which side sent it.
    pub fn of(segment: &Segment<'_>) -> (Self, Side) {
        let (source, destination) = (segment.source, segment.destination);
        if source <= destination {
            let key = Self {
                low: source,
                high: destination,
            };
            (key, Side::Low)
        } else {
            let key = Self {
                low: destination,
                high: source,
            };
            (key, Side::High)
        }
    }

    fn hash(&self, state: &RandomState) -> u64 {
        let mut hasher = state.build_hasher();
        match (self.low.address, self.high.address) {
            (IpAddr::V4(low), IpAddr::V4(high)) => {
                hasher.write_u64(u64::from(low.to_bits()) << 32 | u64::from(high.to_bits()));
            }
            (low, high) => {
                for address in [low, high] {
                    match address {
                        IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
                        IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
                    }
                }
            }
        }
        hasher.write_u32(u32::from(self.low.port) << 16 | u32::from(self.high.port));
        hasher.finish()
    }
}

/// A flow that needs no more reading: it is closed, or carries no mail. What comes late for it opens nothing.
#[derive(Debug)]
pub(super) struct Settled {
    pub key: FlowKey,
    /// By side: the number of the first octet, where a SYN told it.
    pub first: [Option<SeqNumber>; 2],
}

/// The place of a flow's state, by what it has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Flow(u32),
    Embryo(u32),
    Settled(u32),
}

impl Place {
    const NUMBER: u32 = (1 << 30) - 1;

    const fn pack(self) -> u32 {
        match self {
            Self::Flow(number) => number,
            Self::Embryo(number) => number | 1 << 30,
            Self::Settled(number) => number | 2 << 30,
        }
    }

    const fn unpack(packed: u32) -> Self {
        let number = packed & Self::NUMBER;
        match packed >> 30 {
            0 => Self::Flow(number),
            1 => Self::Embryo(number),
            _ => Self::Settled(number),
        }
    }
}

/// Every flow that is known, in three rosters with bounds of their own, under one index.
#[derive(Debug)]
pub(super) struct Directory<C> {
    /// Packed places. The keys stand only in the items, so an entry costs five octets.
    index: HashTable<u32>,
    state: RandomState,
    pub rosters: Rosters<C>,
}

#[derive(Debug)]
pub(super) struct Rosters<C> {
    pub flows: Roster<Flow<C>>,
    pub embryos: Roster<Embryo>,
    pub settled: Roster<Settled>,
}

impl<C> Rosters<C> {
    fn key(&self, packed: u32) -> Option<FlowKey> {
        match Place::unpack(packed) {
            Place::Flow(number) => self.flows.get(number).map(Flow::key),
            Place::Embryo(number) => self.embryos.get(number).map(Embryo::key),
            Place::Settled(number) => self.settled.get(number).map(|settled| settled.key),
        }
    }
}

impl<C> Default for Directory<C> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            state: RandomState::default(),
            rosters: Rosters {
                flows: Roster::default(),
                embryos: Roster::default(),
                settled: Roster::default(),
            },
        }
    }
}

impl<C> Directory<C> {
    /// Where the flow *key* stands, if it is known.
    pub fn find(&self, key: &FlowKey) -> Option<Place> {
        let is_it = |packed: &u32| self.rosters.key(*packed).as_ref() == Some(key);
        let packed = self.index.find(key.hash(&self.state), is_it)?;
        Some(Place::unpack(*packed))
    }

    /// Adds a flow; its key must be unknown so far.
    pub fn add_flow(&mut self, flow: Flow<C>, now: Elapsed) -> u32 {
        let key = flow.key();
        let number = self.rosters.flows.insert(flow, now);
        self.enter(&key, Place::Flow(number));
        number
    }

    /// Adds an embryo; its key must be unknown so far.
    pub fn add_embryo(&mut self, embryo: Embryo, now: Elapsed) {
        let key = embryo.key();
        let number = self.rosters.embryos.insert(embryo, now);
        self.enter(&key, Place::Embryo(number));
    }

    /// Adds a settled flow; its key must be unknown so far.
    pub fn add_settled(&mut self, settled: Settled, now: Elapsed) {
        let key = settled.key;
        let number = self.rosters.settled.insert(settled, now);
        self.enter(&key, Place::Settled(number));
    }

    /// Takes the flow *number* out.
    pub fn take_flow(&mut self, number: u32) -> Option<Flow<C>> {
        let key = self.rosters.flows.get(number)?.key();
        self.strike(&key, Place::Flow(number));
        self.rosters.flows.remove(number)
    }

    /// Takes the embryo *number* out.
    pub fn take_embryo(&mut self, number: u32) -> Option<Embryo> {
        let key = self.rosters.embryos.get(number)?.key();
        self.strike(&key, Place::Embryo(number));
        self.rosters.embryos.remove(number)
    }

    /// Takes the settled flow *number* out.
    pub fn take_settled(&mut self, number: u32) -> Option<Settled> {
        let key = self.rosters.settled.get(number)?.key;
        self.strike(&key, Place::Settled(number));
        self.rosters.settled.remove(number)
    }

    fn enter(&mut self, key: &FlowKey, place: Place) {
        let (rosters, state) = (&self.rosters, &self.state);
        let rehash = |packed: &u32| rosters.key(*packed).map_or(0, |key| key.hash(state));
        let _ = self.index.insert_unique(key.hash(state), place.pack(), rehash);
    }

    fn strike(&mut self, key: &FlowKey, place: Place) {
        let hash = key.hash(&self.state);
        if let Ok(entry) = self.index.find_entry(hash, |packed| *packed == place.pack()) {
            entry.remove();
        }
    }
}
