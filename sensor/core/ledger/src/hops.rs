//! Tells the first sight of something from further ones.

use foldhash::fast::RandomState;
use hashbrown::HashSet;

/// Hops of one mail follow within seconds; a queue that waits for its next hop is tried again within the hour.
const HOPS_MS: u64 = 3_600_000;

/// Remembers at least half of so many keys for one to two hours of packet time.
///
/// They live in two generations: when the young one is full the old one is dropped, and the young takes its place; so too
/// when packet time has moved by an hour either way.
pub struct Hops {
    max_generation: usize,
    young: HashSet<u64, RandomState>,
    old: HashSet<u64, RandomState>,
    since_ms: i64,
}

impl Hops {
    /// A memory of up to *most* keys.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            max_generation: (most / 2).max(1),
            young: HashSet::default(),
            old: HashSet::default(),
            since_ms: 0,
        }
    }

    /// True if *key* was not seen lately; from now on it was.
    pub fn is_first(&mut self, key: u64, at_ms: i64) -> bool {
        let moved_ms = at_ms.abs_diff(self.since_ms);
        if moved_ms > HOPS_MS {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            if moved_ms > 2 * HOPS_MS {
                self.old.clear();
            }
            self.since_ms = at_ms;
        }
        if self.old.contains(&key) || self.young.contains(&key) {
            return false;
        }
        if self.young.len() >= self.max_generation {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            self.since_ms = at_ms;
        }
        self.young.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use super::Hops;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn what_was_seen_is_known_for_an_hour_and_forgotten_after_two() {
        for (later, is_first) in [
            (0, false),
            (HOUR, false),
            (2 * HOUR, false),
            (2 * HOUR + 1, true),
            (-3 * HOUR, true),
        ] {
            let mut hops = Hops::new(100);
            assert!(hops.is_first(7, 10 * HOUR));
            assert_eq!(hops.is_first(7, 10 * HOUR + later), is_first, "{later}");
        }
    }

    #[test]
    fn the_oldest_are_forgotten_where_there_are_too_many() {
        let mut hops = Hops::new(4);
        let first: Vec<bool> = [1, 2, 3, 1, 4, 1].map(|key| hops.is_first(key, 0)).to_vec();
        assert_eq!(first, [true, true, true, false, true, false]);
        assert!(hops.is_first(5, 0));
        assert!(hops.is_first(1, 0));
    }
}
