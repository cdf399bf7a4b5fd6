//! How many mailboxes were active lately, without asking each.

use std::collections::BTreeMap;

use crate::log::{slot_of, LATE, WEEK_STEPS};

/// Slots of one step of six hours.
const STEP: i64 = 72;
const HELD: i64 = WEEK_STEPS + LATE / STEP + 1;

/// Counts mailboxes by the six hours of their latest activity, for as long as the window of 7 days reaches back.
#[derive(Default)]
pub struct Population {
    by_step: BTreeMap<i64, i64>,
    newest: Option<i64>,
}

impl Population {
    /// A mailbox was last active in the six hours *before* (none: never), now *after* (none: it is forgotten).
    pub fn go(&mut self, before: Option<i64>, after: Option<i64>) {
        if before == after {
            return;
        }
        if let Some(count) = before.and_then(|step| self.by_step.get_mut(&step)) {
            *count -= 1;
        }
        if let Some(step) = after {
            match self.by_step.get_mut(&step) {
                Some(count) => *count += 1,
                None => self.enter(step),
            }
        }
    }

    /// Mailboxes active in the 7 days before a time, or after it.
    #[must_use]
    pub fn active(&self, at_ms: i64) -> i64 {
        let first = slot_of(at_ms).div_euclid(STEP) - WEEK_STEPS + 1;
        self.by_step.range(first..).map(|(_, count)| count).sum()
    }

    fn enter(&mut self, step: i64) {
        if self.newest.is_none_or(|newest| step > newest) {
            self.newest = Some(step);
            self.by_step = self.by_step.split_off(&(step - HELD + 1));
        }
        if self.newest.is_some_and(|newest| step > newest - HELD) {
            self.by_step.insert(step, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Population;

    const STEP_MS: i64 = 6 * 3_600_000;

    #[test]
    fn a_mailbox_counts_for_seven_days_after_its_latest_mail() {
        let mut population = Population::default();
        population.go(None, Some(100));
        population.go(None, Some(101));
        population.go(Some(100), Some(110));
        let active = [100, 128, 129, 137, 138].map(|step| population.active(step * STEP_MS));
        assert_eq!(active, [2, 2, 1, 1, 0]);
    }

    #[test]
    fn those_forgotten_and_those_long_gone_do_not_count() {
        let mut population = Population::default();
        population.go(None, Some(1_000));
        population.go(None, Some(1));
        population.go(Some(1_000), None);
        population.go(Some(5), None);
        assert_eq!(population.active(0), 0);
    }
}
