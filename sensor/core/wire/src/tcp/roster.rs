//! Items in numbered places, with the order in which they were last active: all steps in constant time.

use super::clock::Elapsed;

/// The end of a list.
const NONE: u32 = u32::MAX;
/// `prev` of a number that is not in the list.
const ABSENT: u32 = u32::MAX - 1;

/// Most items a roster can number.
pub(super) const MAX_ITEMS: usize = 1 << 30;

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
    since: Elapsed,
}

/// Numbers in the order in which they were appended: a doubly linked list over an array.
#[derive(Debug)]
pub(super) struct Order {
    links: Vec<Link>,
    head: u32,
    tail: u32,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            links: Vec::new(),
            head: NONE,
            tail: NONE,
        }
    }
}

impl Order {
    /// Puts *number* at the end as of *now*, taking it from where it was.
    pub fn append(&mut self, number: u32, now: Elapsed) {
        self.remove(number);
        let at = number as usize;
        if at >= self.links.len() {
            let absent = Link {
                prev: ABSENT,
                next: NONE,
                since: now,
            };
            self.links.resize(at + 1, absent);
        }
        self.links[at] = Link {
            prev: self.tail,
            next: NONE,
            since: now,
        };
        match self.links.get_mut(self.tail as usize) {
            Some(tail) => tail.next = number,
            None => self.head = number,
        }
        self.tail = number;
    }

    /// Takes *number* out, if it is in.
    pub fn remove(&mut self, number: u32) {
        if !self.contains(number) {
            return;
        }
        let Link { prev, next, .. } = self.links[number as usize];
        match self.links.get_mut(prev as usize) {
            Some(link) => link.next = next,
            None => self.head = next,
        }
        match self.links.get_mut(next as usize) {
            Some(link) => link.prev = prev,
            None => self.tail = prev,
        }
        self.links[number as usize].prev = ABSENT;
    }

    /// True if *number* is in.
    pub fn contains(&self, number: u32) -> bool {
        self.since(number).is_some()
    }

    /// When *number* was appended; none if it is not in.
    pub fn since(&self, number: u32) -> Option<Elapsed> {
        let link = self.links.get(number as usize)?;
        (link.prev != ABSENT).then_some(link.since)
    }

    /// The number appended first, and when.
    pub fn first(&self) -> Option<(u32, Elapsed)> {
        let link = self.links.get(self.head as usize)?;
        Some((self.head, link.since))
    }
}

/// An item that moves to the end of the order at most this often: within it, recency is not worth the cache misses.
const TOUCH_NS: i64 = 50_000_000;

/// Items by number, the one longest without activity first.
#[derive(Debug)]
pub(super) struct Roster<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
    order: Order,
}

impl<T> Default for Roster<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            free: Vec::new(),
            order: Order::default(),
        }
    }
}

impl<T> Roster<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// Adds *item*; returns its number, under [`MAX_ITEMS`] as long as the caller keeps fewer.
    pub fn insert(&mut self, item: T, now: Elapsed) -> u32 {
        let number = self.free.pop().unwrap_or(self.items.len() as u32);
        match self.items.get_mut(number as usize) {
            Some(place) => *place = Some(item),
            None => self.items.push(Some(item)),
        }
        self.order.append(number, now);
        number
    }

    /// Takes the item *number* out.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let item = self.items.get_mut(number as usize)?.take()?;
        self.order.remove(number);
        self.free.push(number);
        Some(item)
    }

    /// The item *number*.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.items.get(number as usize)?.as_ref()
    }

    /// The item *number*, to change.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.items.get_mut(number as usize)?.as_mut()
    }

    /// Marks *number* as active now (to within [`TOUCH_NS`]).
    pub fn touch(&mut self, number: u32, now: Elapsed) {
        let stale = |since: Elapsed| now.since_ns(since) >= TOUCH_NS;
        if self.order.since(number).is_some_and(stale) {
            self.order.append(number, now);
        }
    }

    /// The item longest without activity, and since when.
    pub fn stalest(&self) -> Option<(u32, Elapsed)> {
        self.order.first()
    }

    /// Every number in use with its item, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let items = self.items.iter().enumerate();
        items.filter_map(|(at, item)| Some((at as u32, item.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Elapsed, Order, Roster, TOUCH_NS};
    use proptest::prelude::*;

    #[test]
    fn touching_moves_to_the_end_but_not_too_often() {
        let mut roster = Roster::default();
        let (a, b) = (roster.insert('a', Elapsed(0)), roster.insert('b', Elapsed(0)));
        roster.touch(a, Elapsed(TOUCH_NS - 1));
        assert_eq!(roster.stalest(), Some((a, Elapsed(0))));
        roster.touch(a, Elapsed(TOUCH_NS));
        assert_eq!(roster.stalest(), Some((b, Elapsed(0))));
    }

    #[test]
    fn numbers_are_used_again() {
        let mut roster = Roster::default();
        let a = roster.insert('a', Elapsed(0));
        roster.insert('b', Elapsed(0));
        assert_eq!(roster.remove(a), Some('a'));
        assert_eq!(roster.remove(a), None);
        assert_eq!(roster.insert('c', Elapsed(1)), a);
        assert_eq!(roster.len(), 2);
        assert_eq!(roster.iter().collect::<Vec<_>>(), [(0, &'c'), (1, &'b')].to_vec());
    }

    proptest! {
        #[test]
        fn order_behaves_like_a_plain_list(steps in prop::collection::vec((0_u32..8, any::<bool>()), 0..64)) {
            let (mut order, mut model) = (Order::default(), Vec::new());
            for (now, (number, append)) in steps.into_iter().enumerate() {
                model.retain(|(n, _)| *n != number);
                if append {
                    order.append(number, Elapsed(now as i64));
                    model.push((number, Elapsed(now as i64)));
                } else {
                    order.remove(number);
                }
                prop_assert_eq!(order.first(), model.first().copied());
                prop_assert_eq!(order.contains(number), append);
            }
            for entry in model {
                prop_assert_eq!(order.first(), Some(entry));
                order.remove(entry.0);
            }
            prop_assert_eq!(order.first(), None);
        }
    }
}
