"""How long things are kept: which day it is, as far as the clock is to be believed, and what is too old on it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sensor.alert.sinks.rotating import move_aside
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


class AgingFile:
    """
    The file at *path* that lines are added to, and those moved aside from it: ``path.1`` (the latest), ``.2``, ...

    It is moved aside at *rotate_octets* (0: never for that), and where there is a *keep_days* when it was begun an
    eighth of that ago (or whatever *keep_files* makes of it), so that no line is kept much longer than the days.
    """

    def __init__(self, path: str, *, rotate_octets: int = 0, keep_files: int, keep_days: int) -> None:
        self.path = path
        self._rotate_octets, self._keep_files, self._keep_days = rotate_octets, keep_files, keep_days

    def is_full(self) -> bool:
        """True if it has reached its size. A pipe or device never has."""
        return 0 < self._rotate_octets <= _octets(self.path)

    def move_aside(self) -> None:
        """Make room for a new one. Raises ``OSError``."""
        move_aside(self.path, self._keep_files)

    def expire(self, first_day: int) -> bool:
        """
        Delete what was moved aside and ends before *first_day*; true if it was moved aside itself, by its age. Raises
        ``OSError``.
        """
        for number in range(1, self._keep_files + 1):
            if (_day_of(f"{self.path}.{number}") or first_day) < first_day:
                os.unlink(f"{self.path}.{number}")
        period = max(1, self._keep_days // max(1, self._keep_files))
        # It was begun when the one before it ended. Where none is left to tell, nobody knows: then it is time.
        begun = _day_of(f"{self.path}.1") or 0
        if not _octets(self.path) or begun + period > first_day + self._keep_days:
            return False
        self.move_aside()
        return True


def _octets(path: str) -> int:
    """The size of a regular file; 0 for anything else."""
    try:
        facts = os.stat(path)
    except OSError:
        return 0
    return facts.st_size if stat.S_ISREG(facts.st_mode) else 0


def _day_of(path: str) -> int | None:
    """The day on which a file was last written to; none if there is none."""
    try:
        return int(os.stat(path).st_mtime // DAY_S)
    except OSError:
        return None
