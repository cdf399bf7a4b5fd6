"""What detectors and baselines alike come to: alarms, after the allow-list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.detection.organisation import Allowed


@dataclass(frozen=True, slots=True)
class Alarm:
    """
    Something that an analyst is told: when, by which detector or rule, and about which mailboxes and destinations.

    ``is_first`` is false where an alarm that stands already is told again, with more in it.
    """

    at_ms: int
    source: str
    mailboxes: frozenset[str]
    destinations: frozenset[str]
    severity: str = "medium"
    said: str = ""
    is_first: bool = True


class AllowList:
    """The organisation's allow-list as the baselines meet it; the detectors' alerts go through the real policy."""

    def __init__(self, entries: Sequence[Allowed]) -> None:
        self._mailboxes = frozenset(each.mailbox for each in entries if each.mailbox)
        self._destinations = frozenset(each.destination for each in entries if each.destination)
        self._domains = frozenset(each.domain for each in entries if each.domain)

    def left(self, mailbox: str, destinations: Iterable[str]) -> list[str]:
        """Those of *destinations* to which *mailbox* is not allowed to forward."""
        if mailbox in self._mailboxes:
            return []
        return [
            each
            for each in destinations
            if each not in self._destinations and each.rpartition("@")[2] not in self._domains
        ]
