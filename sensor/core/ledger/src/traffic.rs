//! Accounts of mail sent and received, in two generations: `sensor/ledger/traffic.py` has the theory.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use crate::hops::Hops;
use crate::log::{mark_of, within_time, Log, STEP_MARK};
use crate::population::Population;

/// Bounds of the accounts; each has an entry among the limits of `sensor/ledger/limits.py`.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Accounts of those that forward nothing.
    pub mailboxes: usize,
    /// Senders and recipients of mails remembered, so that the next hop does not count again.
    pub recent_mails: usize,
    /// Longer addresses share one account that nobody sees.
    pub address_characters: usize,
    /// Names remembered as changed; with more, all are taken to be.
    pub changed: usize,
}

/// What one mailbox sent and received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Time of the first mail, ms since the epoch.
    pub since_ms: i64,
    /// Mail received.
    pub received: Option<Box<Log>>,
    /// Mail sent.
    pub sent: Option<Box<Log>>,
}

impl Account {
    /// Number of the six hours of the newest mail.
    #[must_use]
    pub fn newest_step(&self) -> Option<i64> {
        let logs = [&self.received, &self.sent];
        logs.into_iter().flatten().map(|log| log.newest_step()).max()
    }

    /// Counts a mail. Where the account is active in other six hours now: those before (none: never) and those now.
    fn count(&mut self, way: Way, at_ms: i64, mark: i64, octets: i64) -> Option<(Option<i64>, i64)> {
        if at_ms < self.since_ms {
            self.since_ms = within_time(at_ms);
        }
        let (log, other) = match way {
            Way::Received => (&mut self.received, &self.sent),
            Way::Sent => (&mut self.sent, &self.received),
        };
        let before = match log {
            Some(log) => Some(log.put(mark, octets)?),
            None => {
                *log = Some(Box::new(Log::starting(mark, octets)));
                None
            }
        };
        let (seen, after) = (other.as_ref().map(|log| log.newest_step()), mark.div_euclid(STEP_MARK));
        (seen.is_none_or(|seen| seen < after)).then(|| (before.max(seen), after))
    }
}

#[derive(Clone, Copy)]
enum Way {
    Received,
    Sent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    Young,
    Old,
    /// Of neither: kept since its mailbox forwards, or about to be young.
    None,
}

struct Slot {
    account: Account,
    generation: Generation,
    /// True for those that forward: they do not age.
    is_held: bool,
}

/// Accounts of all mailboxes, in bounded memory. Addresses are in lower case.
pub struct Traffic {
    bounds: Bounds,
    accounts: HashMap<Box<str>, Slot, RandomState>,
    young: usize,
    hops: Hops,
    address_hash: RandomState,
    active: Population,
    too_long: Account,
    changed: Option<HashSet<Box<str>, RandomState>>,
    /// Mailboxes forgotten for want of room.
    pub evicted: u64,
    /// Times that a mailbox was looked for whose address is too long.
    pub addresses_too_long: u64,
}

impl Traffic {
    /// No accounts yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            accounts: HashMap::default(),
            young: 0,
            hops: Hops::new(bounds.recent_mails),
            address_hash: RandomState::default(),
            active: Population::default(),
            too_long: Account::default(),
            changed: None,
            evicted: 0,
            addresses_too_long: 0,
        }
    }

    /// Counts a mail as sent by *address*, unless that was a further hop of *message* (0: not known by which mail).
    pub fn send(&mut self, address: &str, at_ms: i64, octets: i64, message: u64) {
        // The complement, so that who writes to himself counts both ways.
        if message == 0
            || self
                .hops
                .is_first(!message ^ self.address_hash.hash_one(address), at_ms)
        {
            self.count(address, Way::Sent, at_ms, octets);
        }
    }

    /// Counts a mail as received by *address*, as above.
    pub fn receive(&mut self, address: &str, at_ms: i64, octets: i64, message: u64) {
        if message == 0 || self.hops.is_first(message ^ self.address_hash.hash_one(address), at_ms) {
            self.count(address, Way::Received, at_ms, octets);
        }
    }

    /// Opens the account of *address* if it has none, and makes it young; false if the address is too long for one.
    pub fn open(&mut self, address: &str, at_ms: i64) -> bool {
        let is_young = self
            .accounts
            .get(address)
            .is_some_and(|slot| slot.generation == Generation::Young);
        if !is_young {
            if self.is_too_long(address) {
                self.addresses_too_long += 1;
                return false;
            }
            self.make_young(address, at_ms);
        }
        true
    }

    /// The account of *address*, if it has one.
    #[must_use]
    pub fn account(&self, address: &str) -> Option<&Account> {
        self.accounts.get(address).map(|slot| &slot.account)
    }

    /// Takes *account* for *address*, in place of any other; it is young, and not held.
    pub fn put(&mut self, address: &str, account: Account) {
        self.forget(address);
        self.make_room();
        self.active.go(None, account.newest_step());
        let slot = Slot {
            account,
            generation: Generation::Young,
            is_held: false,
        };
        self.accounts.insert(address.into(), slot);
        self.young += 1;
    }

    /// Keeps the account of *address* until it is let go.
    pub fn hold(&mut self, address: &str) {
        if let Some(slot) = self.accounts.get_mut(address) {
            slot.is_held = true;
        }
    }

    /// Lets the account of *address* age like others; it is forgotten if it has aged meanwhile.
    pub fn let_go(&mut self, address: &str) {
        let Some(slot) = self.accounts.get_mut(address).filter(|slot| slot.is_held) else {
            return;
        };
        slot.is_held = false;
        if slot.generation == Generation::None {
            let step = slot.account.newest_step();
            self.accounts.remove(address);
            self.evicted += 1;
            self.active.go(step, None);
        }
        self.note(address);
    }

    /// Closes the account of *address*, if there is one.
    pub fn forget(&mut self, address: &str) {
        if let Some(slot) = self.accounts.remove(address) {
            self.young -= usize::from(slot.generation == Generation::Young);
            self.active.go(slot.account.newest_step(), None);
        }
    }

    /// Mailboxes active in the 7 days before a time.
    #[must_use]
    pub fn active(&self, at_ms: i64) -> i64 {
        self.active.active(at_ms)
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// All that have an account.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.accounts.keys().map(AsRef::as_ref)
    }

    /// The addresses whose accounts changed since the last call; none if nobody asked before, or too many changed.
    pub fn take_changed(&mut self) -> Option<HashSet<Box<str>, RandomState>> {
        self.changed.replace(HashSet::default())
    }

    /// Remembers that the account of *address* changed.
    pub fn note(&mut self, address: &str) {
        let Some(changed) = &mut self.changed else { return };
        if !changed.contains(address) {
            changed.insert(address.into());
        }
        if changed.len() > self.bounds.changed {
            self.changed = None;
        }
    }

    fn count(&mut self, address: &str, way: Way, at_ms: i64, octets: i64) {
        let mark = mark_of(at_ms);
        let known = self.accounts.get_mut(address);
        let moved = if let Some(slot) = known.filter(|slot| slot.generation == Generation::Young) {
            slot.account.count(way, at_ms, mark, octets)
        } else if self.is_too_long(address) {
            self.addresses_too_long += 1;
            self.too_long.count(way, at_ms, mark, octets);
            None
        } else {
            self.make_young(address, at_ms).count(way, at_ms, mark, octets)
        };
        if let Some((before, after)) = moved {
            self.active.go(before, Some(after));
        }
        self.note(address);
    }

    fn is_too_long(&self, address: &str) -> bool {
        address.len() > self.bounds.address_characters && address.chars().count() > self.bounds.address_characters
    }

    /// The account of a mailbox that is not among the young, found elsewhere or opened, and made young.
    fn make_young(&mut self, address: &str, at_ms: i64) -> &mut Account {
        if let Some(slot) = self.accounts.get_mut(address) {
            slot.generation = Generation::None;
            // So that it does not go with the old ones.
            let was_held = std::mem::replace(&mut slot.is_held, true);
            self.make_room();
            self.young += 1;
            let slot = self
                .accounts
                .entry(address.into())
                .or_insert_with(|| Slot::opened(at_ms));
            (slot.generation, slot.is_held) = (Generation::Young, was_held);
            return &mut slot.account;
        }
        self.make_room();
        self.young += 1;
        &mut self
            .accounts
            .entry(address.into())
            .or_insert_with(|| Slot::opened(at_ms))
            .account
    }

    /// Where there are too many young accounts, drops the old ones; the young ones take their place.
    fn make_room(&mut self) {
        if self.young < self.bounds.mailboxes / 2 {
            return;
        }
        let dropped = self.accounts.extract_if(|_, slot| {
            if slot.generation == Generation::Old && !slot.is_held {
                return true;
            }
            slot.generation = match slot.generation {
                Generation::Young => Generation::Old,
                Generation::Old | Generation::None => Generation::None,
            };
            false
        });
        let dropped: Vec<(Box<str>, Slot)> = dropped.collect();
        for (address, slot) in dropped {
            self.evicted += 1;
            self.active.go(slot.account.newest_step(), None);
            self.note(&address);
        }
        self.young = 0;
    }
}

impl Slot {
    fn opened(at_ms: i64) -> Self {
        let account = Account {
            since_ms: within_time(at_ms),
            ..Account::default()
        };
        Self {
            account,
            generation: Generation::Young,
            is_held: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Traffic};

    const NOW: i64 = 1_700_000_000_000;

    fn traffic(mailboxes: usize) -> Traffic {
        Traffic::new(Bounds {
            mailboxes,
            recent_mails: 100,
            address_characters: 20,
            changed: 8,
        })
    }

    #[test]
    fn further_hops_count_neither_side_again() {
        let mut traffic = traffic(100);
        for _ in 0..3 {
            traffic.send("ann@a.example", NOW, 10, 5);
            traffic.receive("ann@a.example", NOW, 10, 5);
        }
        let account = traffic.account("ann@a.example").unwrap();
        for log in [&account.sent, &account.received] {
            assert_eq!(log.as_ref().unwrap().words()[5], 10);
        }
    }

    #[test]
    fn those_not_seen_longest_go_and_those_held_stay() {
        let mut traffic = traffic(4);
        traffic.open("held@a.example", NOW);
        traffic.hold("held@a.example");
        for mailbox in 0..10 {
            traffic.receive(&format!("{mailbox}@a.example"), NOW, 1, 0);
        }
        assert!(traffic.account("held@a.example").is_some());
        assert!(traffic.len() <= 5);
        assert_eq!(traffic.active(NOW), traffic.len() as i64 - 1);
        traffic.let_go("held@a.example");
        assert!(traffic.account("held@a.example").is_none());
    }

    #[test]
    fn an_address_that_is_too_long_has_no_account() {
        let mut traffic = traffic(4);
        let long = "ä".repeat(21);
        traffic.send(&long, NOW, 1, 0);
        assert!(!traffic.open(&long, NOW));
        assert_eq!((traffic.len(), traffic.addresses_too_long), (0, 2));
        traffic.send(&"ä".repeat(20), NOW, 1, 0);
        assert_eq!(traffic.len(), 1);
    }

    #[test]
    fn changes_are_told_once_and_too_many_as_all() {
        let mut traffic = traffic(100);
        traffic.send("a@a.example", NOW, 1, 0);
        assert!(traffic.take_changed().is_none());
        assert!(traffic.take_changed().unwrap().is_empty());
        traffic.send("a@a.example", NOW, 1, 0);
        assert_eq!(traffic.take_changed().unwrap().len(), 1);
        for mailbox in 0..9 {
            traffic.send(&format!("{mailbox}@a.example"), NOW, 1, 0);
        }
        assert!(traffic.take_changed().is_none());
    }
}
