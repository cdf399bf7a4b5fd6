"""
Mail that passed a tap in line and is in no record: told beside the batches, so that coverage knows of it.

Some of it is known by counts that only grow (``MissedSoFar``), some mail by mail (``MissedMails``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from sensor.model import Missed, MissedWhy
from sensor.tally import PlainTally
from sensor.taps.mark import Mark


class MissedBatch(Mark):
    """Says what was missed since the last one."""

    def __init__(self, missed: Sequence[Missed]) -> None:
        self.missed = tuple(missed)

    def tally(self, *, classify_all: bool) -> PlainTally:
        return PlainTally(missed=self.missed)


class MissedSoFar:
    """What counts that only grow say is new. *clock* gives milliseconds since the epoch."""

    def __init__(self, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._clock = clock
        self._told: dict[MissedWhy, int] = {}

    def news(self, counts: Mapping[MissedWhy, int]) -> Iterator[Missed]:
        """What *counts* have grown by since they were last given."""
        for why, number in counts.items():
            more = number - self._told.get(why, 0)
            if more > 0:
                self._told[why] = number
                yield Missed(at_ms=self._clock(), why=why, mails=more)


class MissedMails:
    """
    Mails told one by one on one thread and taken on another. At most *most* wait with their mailboxes; what comes
    beyond is told by its number alone; ``dropped`` counts what thereby lost its mailboxes.
    """

    def __init__(self, most: int) -> None:
        self._most, self.dropped = most, 0
        self._lock = threading.Lock()
        self._waiting: list[Missed] = []
        self._unnamed: dict[MissedWhy, Missed] = {}

    def add(self, missed: Missed) -> None:
        """Tell of one."""
        with self._lock:
            if len(self._waiting) < self._most:
                self._waiting.append(missed)
                return
            self.dropped += bool(missed.mailboxes)
            if missed.mails:
                before = self._unnamed.get(missed.why)
                mails = missed.mails + (before.mails if before is not None else 0)
                self._unnamed[missed.why] = Missed(at_ms=missed.at_ms, why=missed.why, mails=mails)

    def take(self) -> list[Missed]:
        """All told since the last call."""
        with self._lock:
            taken = [*self._waiting, *self._unnamed.values()]
            self._waiting, self._unnamed = [], {}
        return taken
