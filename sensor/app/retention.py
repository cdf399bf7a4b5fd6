"""How long things are kept: which day it is, as far as the clock is to be believed, and what is too old on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sensor.database import DAY_S

STEP_S = 3_600.0
"""A clock that goes ahead of, or falls behind, one that can't be set by more than this was set. NTP moves by less."""

DOUBT_S = float(DAY_S)
"""Nothing is deleted for so long after the clock was set: who set it wrong has time to see it."""

EVERY_S = 3_600.0
"""How often what is too old is looked for."""


class Retention:
    """
    Says what is too old, by the calendar: what nothing happened to for *keep_days* days; with 0, nothing ever is.

    *wall* is a clock that may be set, in seconds since 1970; *steady* one that only rises.
    """

    def __init__(
        self,
        keep_days: int,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keep_days = keep_days
        self._wall, self._steady = wall, steady
        self._apart_s = wall() - steady()
        self._due_s = steady()
        self.was_set = False

    def due(self) -> int | None:
        """
        Once each ``EVERY_S``, the first day that is kept; none otherwise, and while the clock is in doubt. ``was_set``
        says whether it was found to have been set since the last call.
        """
        now_s = self._steady()
        apart_s = self._wall() - now_s
        self.was_set = abs(apart_s - self._apart_s) > STEP_S
        if self.was_set:
            self._apart_s, self._due_s = apart_s, now_s + DOUBT_S
        if not self.keep_days or now_s < self._due_s:
            return None
        self._due_s = now_s + EVERY_S
        return int((apart_s + now_s) // DAY_S) - self.keep_days


def time_of(day: int) -> str:
    """The beginning of a day, as captures are noted."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S")
