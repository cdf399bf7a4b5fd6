"""Draws that a simulation needs, and its calendar. Everything comes from one seed by name, so runs repeat exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
# Monday, 2 November 2026, 00:00 UTC: the first day of every run.
START_MS = 1_793_577_600_000
WORK_DAYS = 5

# Mail an hour from outside, of a day's: offices write from 7 to 19, machines at all hours, the rest of the world at
# night. Its shape is assumed.
_INBOUND_BY_HOUR = (2, 2, 2, 2, 2, 3, 6, 12, 18, 20, 20, 18, 14, 16, 18, 18, 16, 12, 8, 6, 5, 4, 3, 3)
_INBOUND_HOURS = tuple(hour for hour, weight in enumerate(_INBOUND_BY_HOUR) for _ in range(weight))

Item = TypeVar("Item")


def chance(*names: object) -> Random:
    """A source of chance of its own for what *names* say."""
    return Random("/".join(map(str, names)))


def poisson(rng: Random, mean: float) -> int:
    """A Poisson number; large means by the normal."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def lognormal(rng: Random, median: float, sigma: float) -> float:
    """Log-normal with that median; *sigma* is the spread of the logarithm."""
    return median * math.exp(rng.gauss(0.0, sigma))


def favourite(rng: Random, items: Sequence[Item]) -> Item:
    """One of *items*, the first ones far more often: a few correspondents make up most mail."""
    return items[int(len(items) * rng.random() ** 2.5)]


def inbound_time(rng: Random, day: int) -> int:
    """When on *day* a mail from outside comes."""
    return (
        START_MS
        + day * DAY_MS
        + _INBOUND_HOURS[int(rng.random() * len(_INBOUND_HOURS))] * HOUR_MS
        + int(rng.random() * HOUR_MS)
    )


def is_work_day(day: int) -> bool:
    """True from Monday to Friday."""
    return day % 7 < WORK_DAYS


def day_of(at_ms: int) -> int:
    """The day of the run."""
    return (at_ms - START_MS) // DAY_MS


@dataclass(frozen=True, slots=True)
class Hours:
    """When a person works: milliseconds after midnight. ``late_share`` of what comes outside is done there and then."""

    start_ms: int
    end_ms: int
    late_share: float

    def covers(self, at_ms: int) -> bool:
        """True if the person is at work."""
        return is_work_day(day_of(at_ms)) and self.start_ms <= (at_ms - START_MS) % DAY_MS < self.end_ms

    def some_time(self, rng: Random, day: int) -> int:
        """A time of work on *day*."""
        return START_MS + day * DAY_MS + self.start_ms + int(rng.random() * (self.end_ms - self.start_ms))

    def when_done(self, rng: Random, at_ms: int, delay_ms: float) -> int:
        """When what came at *at_ms* is done, by somebody who takes *delay_ms* for it while at work."""
        done = at_ms + int(delay_ms)
        if self.covers(at_ms) and self.covers(done):
            return done
        awake = 7 * HOUR_MS <= (done - START_MS) % DAY_MS < 23 * HOUR_MS
        if awake and rng.random() < self.late_share:
            return done
        day = day_of(at_ms) + ((at_ms - START_MS) % DAY_MS >= self.start_ms)
        while not is_work_day(day):
            day += 1
        # The morning's pile is worked off in an hour or so.
        return START_MS + day * DAY_MS + self.start_ms + int(rng.expovariate(1 / (40 * MINUTE_MS)))


def drawn_hours(rng: Random) -> Hours:
    """Working hours: most begin between 7:30 and 9:30, one in twenty works a late or a night shift."""
    start = rng.gauss(8.3, 0.8)
    if rng.random() < 0.05:
        start = rng.uniform(12.0, 15.5)
    length = rng.gauss(8.8, 0.7)
    start = min(max(start, 5.0), 15.5)
    end = min(start + max(length, 5.0), 24.0)
    return Hours(int(start * HOUR_MS), int(end * HOUR_MS), late_share=min(0.9, lognormal(rng, 0.08, 1.0)))
