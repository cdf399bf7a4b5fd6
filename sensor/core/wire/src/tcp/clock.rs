//! The table's own time: packet time, made safe to expire things by.
//!
//! Packet time steps back a little (several capture queues), a lot (files read out of order), and now and then a frame
//! carries nonsense. Timeouts need a time that only grows and that no single frame can throw years ahead. So:
//!
//! - a step of up to a second is believed;
//! - a longer step ahead is believed once a later frame lies beyond it: one mad frame has no successor;
//! - frames far behind change nothing; only when [`BEHIND_FRAMES`] of them came in a row, none of them near, the latest
//!   time was itself the mad one (or a new, earlier file has begun), and the count goes on from the earlier time.
//!
//! In a capture with seconds between its frames the table's time thus lags by one frame.

use crate::frame::Timestamp;

/// Nanoseconds of packet time that passed in the table's view. Only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Elapsed(pub i64);

impl Elapsed {
    /// Nanoseconds since *earlier*, which is not after this.
    pub const fn since_ns(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Steps up to this many nanoseconds need no confirmation, ahead or back.
const NEAR_NS: i64 = 1_000_000_000;

/// Frames in a row that must lie far behind before the clock follows them. Two interfaces whose clocks differ by seconds
/// interleave in shorter runs than this.
const BEHIND_FRAMES: u32 = 1_024;

#[derive(Debug, Default)]
pub(super) struct Clock {
    elapsed: Elapsed,
    /// The packet time that `elapsed` stands for; none before the first frame.
    latest: Option<Timestamp>,
    /// A time far ahead that nothing has confirmed yet.
    ahead: Option<Timestamp>,
    /// Frames far behind, in a row.
    behind: u32,
}

impl Clock {
    /// Takes note of a frame's packet time; returns the table's time.
    pub fn observe(&mut self, at: Timestamp) -> Elapsed {
        let step_ns = at.since_ns(*self.latest.get_or_insert(at));
        if step_ns > NEAR_NS {
            self.far_ahead(at);
        } else if step_ns < -NEAR_NS {
            self.far_behind(at);
        } else {
            self.ahead = None;
            self.behind = 0;
            self.step_to(at);
        }
        self.elapsed
    }

    /// The table's time now.
    pub const fn now(&self) -> Elapsed {
        self.elapsed
    }

    fn far_ahead(&mut self, at: Timestamp) {
        self.behind = 0;
        match self.ahead {
            Some(unconfirmed) if at > unconfirmed => {
                self.step_to(unconfirmed);
                // Near what was just confirmed it is believed as well, else it waits for its own successor.
                self.ahead = (at.since_ns(unconfirmed) > NEAR_NS).then_some(at);
                if self.ahead.is_none() {
                    self.step_to(at);
                }
            }
            // The earlier of two unconfirmed times is the safer one.
            _ => self.ahead = Some(at),
        }
    }

    fn far_behind(&mut self, at: Timestamp) {
        self.ahead = None;
        self.behind += 1;
        if self.behind >= BEHIND_FRAMES {
            self.behind = 0;
            self.latest = Some(at);
        }
    }

    fn step_to(&mut self, at: Timestamp) {
        let step_ns = self.latest.map_or(0, |latest| at.since_ns(latest));
        if step_ns > 0 {
            self.elapsed.0 = self.elapsed.0.saturating_add(step_ns);
            self.latest = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, BEHIND_FRAMES};
    use crate::frame::Timestamp;

    const S: i64 = 1_000_000_000;

    fn run(times_s: &[i64]) -> Vec<i64> {
        let mut clock = Clock::default();
        let observe = |t: &i64| clock.observe(Timestamp(*t * S)).0 / S;
        times_s.iter().map(observe).collect()
    }

    #[test]
    fn time_grows_by_believable_steps_and_waits_for_a_witness_of_long_ones() {
        for (times_s, elapsed_s) in [
            (&[100, 101, 102][..], &[0, 1, 2][..]),
            (&[100, 101, 100, 101, 100], &[0, 1, 1, 1, 1]), // jitter does not add up
            (&[0, 900, 1, 2], &[0, 0, 1, 2]),               // one mad frame ahead
            (&[0, 900, 901], &[0, 0, 901]),                 // a quiet night
            (&[0, 30, 60, 90], &[0, 0, 30, 60]),            // few frames: one behind
            (&[0, 900, 900, 901], &[0, 0, 0, 901]),         // the same frame is no witness
            (&[900, 0, 901, 1], &[0, 0, 1, 1]),             // two clocks interleaved
            (&[i64::MAX / S, i64::MIN / S], &[0, 0]),
        ] {
            assert_eq!(run(times_s), elapsed_s, "{times_s:?}");
        }
    }

    #[test]
    fn a_mad_first_frame_stops_the_clock_only_for_a_while() {
        let mut clock = Clock::default();
        clock.observe(Timestamp(i64::MAX));
        for n in 0..i64::from(BEHIND_FRAMES) + 500 {
            clock.observe(Timestamp(n * S));
        }
        assert_eq!(clock.now().0 / S, 500);
    }
}
