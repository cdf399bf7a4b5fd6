"""Packet time while no mail comes: it goes on as time passes, so that nothing waits for mail to have its turn."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY_S = 1.0
"""How often time that passed is told."""

SETTLED_MS = 600_000
"""Whatever waits for its turn has had it ten minutes of packet time later."""


class QuietTime:
    """
    What packet time would be by now, for mail that is seen as it passes.

    Captures that are put into a folder have a time of their own: behind them it goes on only until what waits for its
    turn has had it, since the next capture begins where the last one ended.

    Counted from the latest mail by a clock that nobody sets, so that a clock that is set does no harm.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._from: tuple[int, float] | None = None
        self._due_s = clock() + EVERY_S

    def mail(self, packet_time_ms: int | None) -> None:
        """Mail came, and packet time is this now (none: it has not begun)."""
        now_s = self._clock()
        self._from = None if packet_time_ms is None else (packet_time_ms, now_s)
        self._due_s = now_s + EVERY_S

    def passed(self, *, is_live: bool = True) -> int | None:
        """Packet time by now, in milliseconds, once each ``EVERY_S``; none otherwise, and before the first mail."""
        now_s = self._clock()
        if self._from is None or now_s < self._due_s:
            return None
        self._due_s = now_s + EVERY_S
        began_ms, began_s = self._from
        passed_ms = int((now_s - began_s) * 1_000)
        return began_ms + (passed_ms if is_live else min(passed_ms, SETTLED_MS))
