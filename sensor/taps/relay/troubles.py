"""
What an admin hears of in the log though only counters know of it: mail that nobody judged, sessions and records lost to
overload. Each trouble is told when it is first seen, and while it lasts by the minute, with its number since.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from sensor.log import Log
from sensor.taps.relay.counts import COUNTERS

LOOK_EVERY_S = 2.0
"""How soon a trouble is told. A look takes some microseconds."""

TELL_EVERY_S = 60.0
"""A trouble that lasts is not to fill the log: one line a minute of each."""

TROUBLES: Mapping[str, str] = {
    "relay_mails_unjudged": COUNTERS["mails_unjudged"],
    "inline_refused": "Sessions that passed without being observed, since more are open than limits.inline_sessions.",
    "inline_events_dropped": "Records lost: mail passes faster than it is analysed, by more than limits.inline_events.",
}
"""By the name of the counter, which is that of its metric, what has happened."""


class Troubles:
    """Tells *log* of the counters of ``TROUBLES`` that rose, as *counters* has them. Belongs to one thread."""

    def __init__(
        self, counters: Callable[[], Mapping[str, int]], log: Log, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counters, self._log, self._clock = counters, log, clock
        self._told = dict.fromkeys(TROUBLES, 0)
        self._told_at_s: dict[str, float] = {}

    def look(self, *, is_last: bool = False) -> None:
        """Tell of what rose and was not told within the last minute; of all that rose, where this is the last look."""
        counters, now_s = self._counters(), self._clock()
        for name, meaning in TROUBLES.items():
            number = counters[name] - self._told[name]
            is_due = is_last or now_s - self._told_at_s.get(name, now_s - TELL_EVERY_S) >= TELL_EVERY_S
            if number and is_due:
                self._log.warning(name, number=number, what=meaning)
                self._told[name], self._told_at_s[name] = counters[name], now_s

    async def watch(self) -> None:
        """Look for as long as this is awaited, and once more when it is cancelled."""
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                self.look()
        finally:
            self.look(is_last=True)
