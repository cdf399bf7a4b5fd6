"""
The rules that people use today, on the same events as the detectors.

They are written from public ones: any external auto-forward (Elastic ec8efb0c, Sigma c726e007, Splunk ESCU), more than
one mailbox to one destination in 7 days (Sentinel 871ba14c), and daily volume above mean + 3 sd (Splunk, "Email servers
sending high volume traffic"). In the field most read audit logs of configuration changes, of which mail flow has none,
so each is given its nearest likeness here: a mailbox's automatic forwards to outside as they are seen.
Each alerts once for the same thing, and all know the allow-list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from math import sqrt

from benchmarks.detection.alarms import Alarm, AllowList
from benchmarks.detection.chance import DAY_MS, START_MS
from sensor.detect.events import DetectorEvent, ForwardSeen

WEEK_MS = 7 * DAY_MS
_AUTOMATIC = ("auto_only", "auto_visible")


class Baseline(ABC):
    """One rule: takes the forwards, in order, and gives alarms. ``name`` is how the tables call it."""

    name = ""

    def __init__(self, allowed: AllowList) -> None:
        self._allowed = allowed

    def see(self, event: DetectorEvent) -> Iterator[Alarm]:
        """Alarms that *event* leads to."""
        if not isinstance(event, ForwardSeen):
            return
        outside = self._allowed.left(event.mailbox, event.outside)
        if outside:
            yield from self._forward(event, outside)

    @abstractmethod
    def _forward(self, event: ForwardSeen, outside: list[str]) -> Iterator[Alarm]:
        """Alarms for one forward, to those of its outside destinations that are not allowed."""

    def _alarm(self, at_ms: int, mailboxes: set[str], destination: str) -> Alarm:
        return Alarm(at_ms, self.name, frozenset(mailboxes), frozenset((destination,)))


class AnyAutoForward(Baseline):
    """Any external auto-forward (Elastic ec8efb0c, Sigma c726e007, ESCU, Panther), once for mailbox and destination."""

    name = "any external auto-forward"

    def __init__(self, allowed: AllowList) -> None:
        super().__init__(allowed)
        self._told: set[tuple[str, str]] = set()

    def _forward(self, event: ForwardSeen, outside: list[str]) -> Iterator[Alarm]:
        if event.cell not in _AUTOMATIC:
            return
        for destination in outside:
            if (event.mailbox, destination) not in self._told:
                self._told.add((event.mailbox, destination))
                yield self._alarm(event.at_ms, {event.mailbox}, destination)


class AnyForward(AnyAutoForward):
    """The same for whatever looks forwarded, by hand too: what a rule without trust in marks would have to do."""

    name = "any external forward, by hand too"

    def _forward(self, event: ForwardSeen, outside: list[str]) -> Iterator[Alarm]:
        for destination in outside:
            if (event.mailbox, destination) not in self._told:
                self._told.add((event.mailbox, destination))
                yield self._alarm(event.at_ms, {event.mailbox}, destination)


class SharedDestination(Baseline):
    """More than one mailbox to one destination in 7 days: Sentinel 871ba14c, ESCU. Once a week for a destination."""

    name = "> 1 mailbox to one destination in 7 d"

    def __init__(self, allowed: AllowList) -> None:
        super().__init__(allowed)
        self._seen: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._told: dict[str, int] = {}

    def _forward(self, event: ForwardSeen, outside: list[str]) -> Iterator[Alarm]:
        if event.cell not in _AUTOMATIC:
            return
        for destination in outside:
            mailboxes = self._seen[destination]
            mailboxes[event.mailbox] = event.at_ms
            recent = {mailbox for mailbox, at_ms in mailboxes.items() if event.at_ms - at_ms < WEEK_MS}
            if len(recent) > 1 and event.at_ms - self._told.get(destination, -WEEK_MS) >= WEEK_MS:
                self._told[destination] = event.at_ms
                yield self._alarm(event.at_ms, recent, destination)


class Volume(Baseline):
    """
    A day's forwarded octets of a mailbox to a destination above mean + 3 standard deviations of its earlier days, of
    which at least 4 must be known: ESCU "Email servers sending high volume traffic". Days without forwards are days.
    """

    name = "volume > mean + 3 sd, 4 days"
    samples = 4

    def __init__(self, allowed: AllowList) -> None:
        super().__init__(allowed)
        self._days: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self._told: set[tuple[str, str, int]] = set()

    def _forward(self, event: ForwardSeen, outside: list[str]) -> Iterator[Alarm]:
        day = (event.at_ms - START_MS) // DAY_MS
        for destination in outside:
            days = self._days[event.mailbox, destination]
            days[day] = days.get(day, 0) + (event.octets or 0)
            if (event.mailbox, destination, day) not in self._told and self._is_much(days, day):
                self._told.add((event.mailbox, destination, day))
                yield self._alarm(event.at_ms, {event.mailbox}, destination)

    def _is_much(self, days: dict[int, int], day: int) -> bool:
        earlier = [days.get(each, 0) for each in range(min(days), day)]
        if len(earlier) < self.samples:
            return False
        mean = sum(earlier) / len(earlier)
        variance = sum((each - mean) ** 2 for each in earlier) / len(earlier)
        return days[day] > mean + 3 * sqrt(variance)


BASELINES = (AnyAutoForward, AnyForward, SharedDestination, Volume)
