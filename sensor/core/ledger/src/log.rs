//! A log of slots: mails and octets over sliding windows of packet time. `sensor/ledger/windows.py` has the theory.
//!
//! A slot is two words. The first holds its number in the upper half and its mails in the lower, so that both are compared
//! and counted at once; the second its octets. A *mark* is the first word of a slot without mails.

/// The finest step: five minutes.
const SLOT_MS: i64 = 300_000;
const SHIFT: u32 = 32;
const MAILS: i64 = (1 << SHIFT) - 1;
/// The most that a sum of mails or octets becomes.
const SUM: i64 = (1 << 62) - 1;
/// Twenty thousand years around 1970: times beyond are damage.
const LAST_MS: i64 = 10_000 * 366 * 24 * 3_600_000;
/// How far before its newest mail a count still answers exactly, in slots: an hour.
pub const LATE: i64 = 12;
const HOUR: i64 = 12;
const SIX_HOURS: i64 = 72;
const HOUR_MARK: i64 = HOUR << SHIFT;
/// Divides the mark of a slot into the number of the six hours that hold it.
pub const STEP_MARK: i64 = SIX_HOURS << SHIFT;
/// Steps of six hours in the longest window, 7 days.
pub const WEEK_STEPS: i64 = 28;
/// Words before the slots, as they are written.
const HEADER: usize = 4;
/// By how many words a log grows at least before it is folded.
const LEAST_GROWTH: usize = 48;

/// The slot that holds a time.
#[must_use]
pub const fn mark_of(at_ms: i64) -> i64 {
    slot_of(at_ms) << SHIFT
}

/// Number of the slot that holds a time, or the first or last one of all.
#[must_use]
pub const fn slot_of(at_ms: i64) -> i64 {
    within_time(at_ms).div_euclid(SLOT_MS)
}

/// A time, or the end of all time that it lies beyond.
#[must_use]
pub const fn within_time(at_ms: i64) -> i64 {
    if at_ms > LAST_MS {
        LAST_MS
    } else if at_ms < -LAST_MS {
        -LAST_MS
    } else {
        at_ms
    }
}

/// Number of the first slot of the window of so many *steps* of so many *slots* that ends with *slot*.
const fn first_slot(slot: i64, steps: i64, slots: i64) -> i64 {
    (slot.div_euclid(slots) - steps + 1) * slots
}

/// The first slot that is not rounded: an hour's window within the lateness before *newest* begins there.
const fn fine_from(newest: i64) -> i64 {
    first_slot(newest - LATE, HOUR, 1)
}

/// The first slot that is rounded to no more than an hour.
const fn hourly_from(newest: i64) -> i64 {
    first_slot(newest - LATE, 24, HOUR)
}

/// The first slot that a window ending within the lateness before *newest* reaches.
const fn held_from(newest: i64) -> i64 {
    first_slot(newest - LATE, WEEK_STEPS, SIX_HOURS)
}

/// Mails and octets of one mailbox in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The newest slot, apart from the others since nearly every mail is counted here.
    newest: (i64, i64),
    /// The slots before, oldest first.
    older: Vec<(i64, i64)>,
    /// The newest slot when the log was last folded: it tells how far slots are rounded.
    folded: i64,
    left_mails: i64,
    left_octets: i64,
    /// Of how many words the log is folded.
    fold_at: usize,
}

impl Log {
    /// A log with one mail.
    #[must_use]
    pub const fn starting(mark: i64, octets: i64) -> Self {
        Self {
            newest: (mark | 1, octets),
            older: Vec::new(),
            folded: mark >> SHIFT,
            left_mails: 0,
            left_octets: 0,
            fold_at: HEADER + LEAST_GROWTH,
        }
    }

    /// Number of the six hours of the newest mail.
    #[must_use]
    pub const fn newest_step(&self) -> i64 {
        self.newest.0.div_euclid(STEP_MARK)
    }

    /// Counts a mail, whatever its time. Where it is the newest, and in other six hours than the newest before, the number
    /// of those; else none.
    pub fn put(&mut self, mark: i64, octets: i64) -> Option<i64> {
        let last = self.newest.0;
        if (0..MAILS).contains(&last.saturating_sub(mark)) {
            self.newest.0 += 1;
            self.newest.1 = self.newest.1.saturating_add(octets);
            return None;
        }
        if mark < last {
            self.put_late(mark, octets);
            return None;
        }
        self.make_room();
        self.older.push(self.newest);
        self.newest = (mark | 1, octets);
        self.fold_if_due();
        let before = last.div_euclid(STEP_MARK);
        (before != mark.div_euclid(STEP_MARK)).then_some(before)
    }

    /// The log as `WindowedCount` holds it: when it is folded, what it was folded by, what left the windows, the slots.
    #[must_use]
    pub fn words(&self) -> Vec<i64> {
        let fold_at = i64::try_from(self.fold_at).unwrap_or(i64::MAX);
        let mut words = vec![fold_at, self.folded, self.left_mails, self.left_octets];
        for slot in self.older.iter().chain([&self.newest]) {
            words.extend([slot.0, slot.1]);
        }
        words
    }

    /// The log that *words* are; none for what no log is written as.
    #[must_use]
    pub fn from_words(words: &[i64]) -> Option<Self> {
        let (&[fold_at, folded, left_mails, left_octets], slots) = words.split_first_chunk::<HEADER>()?;
        let mut older: Vec<(i64, i64)> = slots.chunks_exact(2).map(|slot| (slot[0], slot[1])).collect();
        let newest = older.pop()?;
        Some(Self {
            newest,
            older,
            folded,
            left_mails,
            left_octets,
            fold_at: usize::try_from(fold_at).ok()?,
        })
    }

    /// Where the slot now begins that *mark* belongs to.
    const fn rounded(&self, mark: i64) -> i64 {
        let slot = mark >> SHIFT;
        if slot >= fine_from(self.folded) {
            mark
        } else if slot >= hourly_from(self.folded) {
            mark - mark.rem_euclid(HOUR_MARK)
        } else {
            mark - mark.rem_euclid(STEP_MARK)
        }
    }

    /// Counts a mail that belongs before the newest slot, or into it when it is full.
    fn put_late(&mut self, mark: i64, octets: i64) {
        let begin = self.rounded(mark);
        let at = self.older.partition_point(|slot| slot.0 < begin);
        if mark >> SHIFT < held_from(self.folded) {
            return self.leave(1, octets);
        }
        let slot = self.older.get_mut(at).unwrap_or(&mut self.newest);
        if slot.0 >> SHIFT != begin >> SHIFT {
            self.make_room();
            self.older.insert(at, (begin | 1, octets));
            self.fold_if_due();
        } else if slot.0 & MAILS < MAILS {
            slot.0 += 1;
            slot.1 = slot.1.saturating_add(octets);
        } else {
            self.leave(1, octets);
        }
    }

    /// Room for one slot more, and for few beyond: there are a million logs, and left to itself a vector doubles.
    fn make_room(&mut self) {
        if self.older.len() == self.older.capacity() {
            self.older.reserve_exact((self.older.len() / 8).max(2));
        }
    }

    fn leave(&mut self, mails: i64, octets: i64) {
        self.left_mails = self.left_mails.saturating_add(mails).clamp(0, SUM);
        self.left_octets = self.left_octets.saturating_add(octets).clamp(0, SUM);
    }

    fn fold_if_due(&mut self) {
        if HEADER + 2 * (self.older.len() + 1) >= self.fold_at {
            self.fold();
        }
    }

    /// Rounds the slots that have aged since it was last done, and sums up those that no window needs any more.
    fn fold(&mut self) {
        let (before, newest) = (self.folded, self.newest.0 >> SHIFT);
        let mut slots = std::mem::take(&mut self.older);
        slots.push(self.newest);
        merge(&mut slots, fine_from(before), fine_from(newest), HOUR_MARK);
        merge(&mut slots, hourly_from(before), hourly_from(newest), STEP_MARK);
        let gone = position(&slots, held_from(newest));
        for (word, octets) in slots.drain(..gone) {
            self.leave(word & MAILS, octets);
        }
        let kept = 2 * slots.len();
        self.folded = newest;
        // In proportion to what is left, so that folding costs each new slot the same.
        self.fold_at = HEADER + kept + LEAST_GROWTH.max(kept / 4 * 2);
        self.newest = slots.pop().unwrap_or(self.newest);
        slots.shrink_to_fit();
        self.older = slots;
    }
}

/// Index of the first of *slots* that does not begin before the slot of that number.
fn position(slots: &[(i64, i64)], number: i64) -> usize {
    slots.partition_point(|slot| slot.0 < number << SHIFT)
}

/// Rounds the slots from *first* to before *behind* down to *step*, and joins those that then begin alike.
fn merge(slots: &mut Vec<(i64, i64)>, first: i64, behind: i64, step: i64) {
    let (low, high) = (position(slots, first), position(slots, behind));
    if low >= high {
        return;
    }
    // The one before may have been rounded to where these begin.
    let low = low.saturating_sub(1);
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(high - low);
    let mut last = None;
    for &(word, octets) in &slots[low..high] {
        let begin = word.div_euclid(step);
        match merged.last_mut() {
            Some(slot) if last == Some(begin) => {
                slot.0 += word & MAILS;
                slot.1 = slot.1.saturating_add(octets).min(SUM);
            }
            _ => merged.push(((begin * step) | (word & MAILS), octets)),
        }
        last = Some(begin);
    }
    slots.splice(low..high, merged);
}

#[cfg(test)]
mod tests {
    use super::{mark_of, Log, LAST_MS, SLOT_MS, SUM};

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn mails_of_one_slot_are_one_slot() {
        let mut log = Log::starting(mark_of(NOW), 5);
        assert_eq!(log.put(mark_of(NOW + 1), 7), None);
        assert_eq!(log.words()[4..], [mark_of(NOW) | 2, 12]);
    }

    #[test]
    fn other_six_hours_are_told() {
        let mut log = Log::starting(mark_of(NOW), 0);
        let before = log.newest_step();
        assert_eq!(log.put(mark_of(NOW + 8 * 3_600_000), 0), Some(before));
        assert_eq!(log.put(mark_of(NOW), 0), None);
    }

    #[test]
    fn words_make_the_same_log_again() {
        let mut log = Log::starting(mark_of(NOW), 1);
        for mail in 0..5_000 {
            log.put(mark_of(NOW + mail * SLOT_MS - mail % 7 * 3_600_000), mail);
            assert_eq!(Log::from_words(&log.words()), Some(log.clone()));
        }
        assert!(log.words().len() < 4 + 2 * 160);
    }

    #[test]
    fn times_and_sums_beyond_all_bounds_are_cut() {
        let mut log = Log::starting(mark_of(i64::MAX), i64::MAX);
        assert_eq!(mark_of(i64::MAX), mark_of(LAST_MS));
        for mark in [mark_of(i64::MAX), mark_of(i64::MIN), mark_of(0)] {
            log.put(mark, i64::MAX);
        }
        assert!(log.words()[3] <= SUM);
    }

    #[test]
    fn what_is_no_log_is_refused() {
        for words in [&[][..], &[1, 2, 3], &[52, 0, 0, 0], &[-1, 0, 0, 0, 1, 1]] {
            assert_eq!(Log::from_words(words), None);
        }
    }
}
