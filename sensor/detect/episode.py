"""
What a claim about a mailbox's forwards rests on: from the first of them, on whose id the claim's own depends.

Four detectors tell of one mailbox's forwards over time; each keeps an episode in its state, and begins a new one
after its own measure of quiet.
"""

from __future__ import annotations

from typing import TypedDict

import msgspec

from sensor.detect.base import Told
from sensor.detect.claim import MAX_DESTINATIONS, Exhibits, address
from sensor.detect.events import Context, ForwardSeen
from sensor.detect.level import Marks
from sensor.detect.windows import MOST
from sensor.model import Actor, Exhibit


class Facts(TypedDict):
    """What an episode gives to ``claim``."""

    key: str
    episode: str
    mailbox: str
    destinations: tuple[str, ...]
    first_seen_ms: int
    last_seen_ms: int
    missing_octets: int
    context: Context
    actor: Actor
    exhibits: tuple[Exhibit, ...]


class Episode(msgspec.Struct, kw_only=True):
    """
    The forwards of one mailbox since the one with the id ``id``.

    ``destinations`` counts those outside, ``MAX_DESTINATIONS`` of them; what finds no room is in
    ``other_destinations``. ``conclusive`` are the forwards whose marks name mailbox and destination.
    """

    id: str
    first_ms: int
    last_ms: int
    count: int = 0
    conclusive: int = 0
    missing_octets: int = 0
    other_destinations: int = 0
    destinations: dict[str, int] = {}
    marks: Marks = msgspec.field(default_factory=Marks)
    exhibits: Exhibits = msgspec.field(default_factory=Exhibits)
    told: Told = msgspec.field(default_factory=Told)

    def take(self, event: ForwardSeen) -> None:
        """Add one forward."""
        self.first_ms = min(self.first_ms, event.at_ms)
        self.last_ms = max(self.last_ms, event.at_ms)
        self.count += 1
        self.conclusive += event.evidence == "conclusive"
        self.missing_octets = min(MOST, self.missing_octets + max(0, event.missing_octets))
        for destination in event.outside:
            self._send_to(address(destination))
        if event.cell in ("auto_only", "auto_visible"):
            self.marks.add(event.level, event.lines)
        self.exhibits.add(event.transaction_id, event.at_ms, event.lines)

    def _send_to(self, destination: str) -> None:
        if destination in self.destinations or len(self.destinations) < MAX_DESTINATIONS:
            self.destinations[destination] = self.destinations.get(destination, 0) + 1
        else:
            self.other_destinations += 1

    def has_news(self, at_ms: int) -> bool:
        """True if a claim made now would be told; asked first, since measuring costs more than all else."""
        return msgspec.structs.replace(self.told).is_due(self.count, at_ms)

    def by_count(self) -> tuple[str, ...]:
        """The destinations, those that got most first."""
        return tuple(sorted(self.destinations, key=lambda each: (-self.destinations[each], each)))

    def facts(self, event: ForwardSeen) -> Facts:
        """What ``claim`` needs of this episode; *event* is its latest, and tells what was known then."""
        return Facts(
            key=event.mailbox,
            episode=self.id,
            mailbox=event.mailbox,
            destinations=self.by_count(),
            first_seen_ms=self.first_ms,
            last_seen_ms=self.last_ms,
            missing_octets=self.missing_octets,
            context=event.context,
            actor=event.actor,
            exhibits=self.exhibits.all(),
        )


def episode_of(episode: Episode | None, event: ForwardSeen, quiet_ms: int) -> Episode:
    """*episode*, or a new one that *event* begins if there was none in the last *quiet_ms*. Takes *event* in."""
    if episode is None or event.at_ms - episode.last_ms > quiet_ms:
        episode = Episode(id=event.id, first_ms=event.at_ms, last_ms=event.at_ms)
    episode.take(event)
    return episode
