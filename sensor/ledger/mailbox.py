"""One mailbox's account: how much it sent and received, and what it forwarded, how, when and to whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

from sensor.intervals import jeffreys
from sensor.ledger.copies import Copy
from sensor.ledger.timeline import Timeline
from sensor.ledger.windows import (
    DAY,
    HOUR,
    MAX_OCTETS,
    NOTHING,
    WEEK,
    Count,
    Window,
    WindowedCount,
    mark_of,
    within_time,
)
from sensor.model import Evidence, Level

Cell = Literal["auto_only", "auto_visible", "visible_only", "paired"]
Scope = Literal["external", "internal", "all"]

CELLS: tuple[Cell, ...] = ("auto_only", "auto_visible", "visible_only", "paired")
PAIRED = CELLS.index("paired")
LEVELS: tuple[Level, ...] = ("user", "admin", "either", "unknown")
EVIDENCE: tuple[Evidence, ...] = ("conclusive", "strong", "weak")

# Whom one forward reaches, as two bits, so that each forward is counted in one place: (none), outside, inside, both.
OUTSIDE, INSIDE = 1, 2
REACHES = 4
_REACHES: dict[Scope, tuple[int, ...]] = {"external": (1, 3), "internal": (2, 3), "all": (0, 1, 2, 3)}


class ForwardView(Protocol):
    """A forward as the ledger takes it; addresses in lower case, ``outside`` some of ``destinations``."""

    @property
    def mailbox(self) -> str: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def cell(self) -> Cell: ...
    @property
    def destinations(self) -> Sequence[str]: ...
    @property
    def outside(self) -> Collection[str]: ...
    @property
    def level(self) -> Level: ...
    @property
    def evidence(self) -> Evidence: ...
    @property
    def octets(self) -> int | None: ...


class AttemptView(Protocol):
    """A forward that was refused, as the ledger takes it; addresses in lower case."""

    @property
    def mailbox(self) -> str: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def destinations(self) -> Sequence[str]: ...
    @property
    def level(self) -> Level: ...


class Activity(NamedTuple):
    """
    Mails that a mailbox had in the windows before a time, and when its first mail was seen (none: it has no account).

    A window is at most one step shorter than its name: see ``sensor.ledger.windows``.
    """

    received_1h: int = 0
    received_24h: int = 0
    received_7d: int = 0
    sent_24h: int = 0
    sent_7d: int = 0
    since_ms: int | None = None


class Account:
    """Counts of one mailbox. Most forward nothing, so what concerns forwarding is made when it is first needed."""

    __slots__ = ("forwards", "in_", "out", "since_ms")

    def __init__(self, since_ms: int) -> None:
        self.since_ms = since_ms
        self.in_: WindowedCount | None = None
        self.out: WindowedCount | None = None
        self.forwards: Forwards | None = None

    @property
    def received(self) -> int:
        """Mails received, in all."""
        return self.in_.total.mails if self.in_ is not None else 0

    @property
    def sent(self) -> int:
        """Mails sent, in all."""
        return self.out.total.mails if self.out is not None else 0

    @property
    def received_octets(self) -> int:
        """Octets received, in all."""
        return self.in_.total.octets if self.in_ is not None else 0

    @property
    def sent_octets(self) -> int:
        """Octets sent, in all."""
        return self.out.total.octets if self.out is not None else 0

    @property
    def newest_step(self) -> int | None:
        """Number of the six hours of the newest mail sent or received."""
        return max((each.newest_step for each in (self.in_, self.out) if each is not None), default=None)

    def received_within(self, window: Window, at_ms: int) -> Count:
        """What was received in the window that ends at a time."""
        return self.in_.within(window, at_ms) if self.in_ is not None else NOTHING

    def sent_within(self, window: Window, at_ms: int) -> Count:
        """What was sent in the window that ends at a time."""
        return self.out.within(window, at_ms) if self.out is not None else NOTHING

    def activity(self, at_ms: int) -> Activity:
        """What detectors are told of the mailbox."""
        return Activity(
            received_1h=self.received_within(HOUR, at_ms).mails,
            received_24h=self.received_within(DAY, at_ms).mails,
            received_7d=self.received_within(WEEK, at_ms).mails,
            sent_24h=self.sent_within(DAY, at_ms).mails,
            sent_7d=self.sent_within(WEEK, at_ms).mails,
            since_ms=self.since_ms,
        )


class Destination:
    """An address or a domain that a mailbox forwards to. Times are milliseconds of packet time."""

    __slots__ = ("count", "first_seen_ms", "is_outside", "last_seen_ms", "octets")

    def __init__(self, at_ms: int, *, is_outside: bool) -> None:
        self.count = 0
        self.octets = 0
        self.first_seen_ms = at_ms
        self.last_seen_ms = at_ms
        self.is_outside = is_outside

    def add(self, at_ms: int, octets: int) -> None:
        """Count one forward."""
        self.count += 1
        self.octets += octets
        self.first_seen_ms = min(self.first_seen_ms, at_ms)
        self.last_seen_ms = max(self.last_seen_ms, at_ms)


class Room:
    """Places left for destinations: so many for each mailbox, so many for all; and how long their names may be."""

    __slots__ = ("_left", "characters", "per_mailbox")

    def __init__(self, per_mailbox: int, for_all: int, characters: int) -> None:
        self.per_mailbox = per_mailbox
        self.characters = characters
        self._left = for_all

    def take(self, name: str, kept: int) -> bool:
        """Take a place for one more name of a mailbox that has *kept* some; false if there is none."""
        if kept >= self.per_mailbox or self._left <= 0 or len(name) > self.characters:
            return False
        self._left -= 1
        return True

    def give_back(self, places: int) -> None:
        """Give back the places of a mailbox that is forgotten."""
        self._left += places


class Forwards:
    """
    What one mailbox forwarded, in four cells: by a rule alone, by a rule and looking so, by hand, and (by pairing
    mail in with mail out, where no mark tells) ``paired``. Forwards that no server took responsibility for are
    ``attempts``.

    ``destinations`` and ``domains`` are bounded; what finds no room is counted in ``other_destinations`` and
    ``other_domains``. A forward to several addresses counts once, and once for each of its addresses and domains.
    """

    __slots__ = (
        "attempts",
        "cells",
        "counts",
        "destinations",
        "domains",
        "evidence",
        "first_seen_ms",
        "last_seen_ms",
        "levels",
        "other_destinations",
        "other_domains",
        "slugs",
        "timeline",
    )

    def __init__(self, at_ms: int) -> None:
        self.cells = [0] * len(CELLS)
        self.counts: dict[int, WindowedCount] = {}
        self.attempts = 0
        self.first_seen_ms = at_ms
        self.last_seen_ms = at_ms
        self.destinations: dict[str, Destination] = {}
        self.domains: dict[str, Destination] = {}
        self.other_destinations = 0
        self.other_domains = 0
        self.levels: set[Level] = set()
        self.evidence: Evidence = "weak"
        self.slugs: dict[str, int] = {}
        self.timeline = Timeline()

    @property
    def auto_only(self) -> int:
        """Forwards by a rule that look like no forward."""
        return self.cells[0]

    @property
    def auto_visible(self) -> int:
        """Forwards by a rule that look forwarded as well."""
        return self.cells[1]

    @property
    def visible_only(self) -> int:
        """Forwards that look forwarded, and show no rule."""
        return self.cells[2]

    @property
    def paired(self) -> int:
        """Mails that went in and out again, and show nothing."""
        return self.cells[PAIRED]

    @property
    def automatic(self) -> int:
        """Forwards that a rule made, whether or not they look forwarded."""
        return self.auto_only + self.auto_visible

    @property
    def total(self) -> int:
        """Forwards of every kind that carry an artifact."""
        return self.auto_only + self.auto_visible + self.visible_only

    @property
    def level(self) -> Level:
        """The level all automatic forwards agree on, "either" where they do not, "unknown" where there are none."""
        specific = self.levels - {"either"}
        if len(specific) == 1:
            return next(iter(specific))
        return "either" if self.levels else "unknown"

    @property
    def newest_rule_step(self) -> int | None:
        """Number of the six hours of the newest forward to outside by a rule that left its mark."""
        keys = (cell * REACHES + reach for cell in range(2) for reach in _REACHES["external"])
        return max((self.counts[key].newest_step for key in keys if key in self.counts), default=None)

    def auto_share(self) -> tuple[float, float, float] | None:
        """Share of ``auto_only`` in all forwards, with its 95 % Jeffreys interval: (share, low, high)."""
        total = self.total
        if not total:
            return None
        low, high = jeffreys(self.auto_only, total)
        return self.auto_only / total, low, high

    def within(self, window: Window, at_ms: int, cells: Iterable[Cell] = CELLS, scope: Scope = "all") -> Count:
        """Forwards of some cells and a scope in the window that ends at a time. One to both sides is in both scopes."""
        return sum((each.within(window, at_ms) for each in self._counts_of(cells, scope)), NOTHING)

    def counted(self, cells: Iterable[Cell] = CELLS, scope: Scope = "all") -> Count:
        """Forwards of some cells and a scope since the first."""
        return sum((each.total for each in self._counts_of(cells, scope)), NOTHING)

    def add(self, forward: ForwardView, copies: Sequence[str], slugs: Iterable[str], room: Room) -> Copy:
        """Count one forward, of which *copies* are the destinations that were not counted before; where it was put."""
        at_ms, octets = within_time(forward.at_ms), min(forward.octets or 0, MAX_OCTETS)
        outside = frozenset(forward.outside)
        reach = 0
        for address in copies:
            reach |= OUTSIDE if address in outside else INSIDE
        copy = Copy(CELLS.index(forward.cell), reach, at_ms, octets)
        self._put(copy)
        self._mark(at_ms, slugs)
        self._judge(forward)
        for address in copies:
            if not _add_to(self.destinations, address, at_ms, octets, address in outside, room):
                self.other_destinations += 1
        domains = {domain_of(address): address in outside for address in copies}
        for domain, is_outside in domains.items():
            if not _add_to(self.domains, domain, at_ms, octets, is_outside, room):
                self.other_domains += 1
        return copy

    def add_attempt(self, attempt: AttemptView, evidence: Evidence | None, slugs: Iterable[str]) -> None:
        """Count a forward that was refused or given up."""
        self.attempts += 1
        self._mark(within_time(attempt.at_ms), slugs)
        if attempt.level != "unknown":
            self.levels.add(attempt.level)
        if evidence is not None:
            self._weigh(evidence)

    def recast(self, copy: Copy, forward: ForwardView, slugs: Iterable[str]) -> None:
        """Move a forward that was counted as paired to the cell that its marks, seen later, put it in."""
        count = self.counts.get(copy.cell * REACHES + copy.reach)
        if not self.cells[copy.cell] or count is None:
            return
        count.take_back(mark_of(copy.at_ms), copy.octets)
        self.cells[copy.cell] -= 1
        self.timeline.add(copy.at_ms, copy.cell, -1)
        copy.cell = CELLS.index(forward.cell)
        self._put(copy)
        self._mark(copy.at_ms, slugs)
        self._judge(forward)

    def _counts_of(self, cells: Iterable[Cell], scope: Scope) -> Iterable[WindowedCount]:
        keys = (CELLS.index(cell) * REACHES + reach for cell in cells for reach in _REACHES[scope])
        return (self.counts[key] for key in keys if key in self.counts)

    def _put(self, copy: Copy) -> None:
        key, mark = copy.cell * REACHES + copy.reach, mark_of(copy.at_ms)
        self.cells[copy.cell] += 1
        self.timeline.add(copy.at_ms, copy.cell)
        count = self.counts.get(key)
        if count is None:
            self.counts[key] = WindowedCount.starting(mark, copy.octets)
        else:
            count.put(mark, copy.octets)

    def _mark(self, at_ms: int, slugs: Iterable[str]) -> None:
        # Packet time may run backwards between files, so both ends move.
        self.first_seen_ms = min(self.first_seen_ms, at_ms)
        self.last_seen_ms = max(self.last_seen_ms, at_ms)
        for slug in set(slugs):
            self.slugs[slug] = self.slugs.get(slug, 0) + 1

    def _judge(self, forward: ForwardView) -> None:
        if forward.cell != "visible_only" and forward.level != "unknown":
            self.levels.add(forward.level)
        self._weigh(forward.evidence)

    def _weigh(self, evidence: Evidence) -> None:
        if EVIDENCE.index(evidence) < EVIDENCE.index(self.evidence):
            self.evidence = evidence


def domain_of(address: str) -> str:
    """What follows the last @; an address without one is its own domain."""
    return address[address.rfind("@") + 1 :]


def _add_to(kept: dict[str, Destination], name: str, at_ms: int, octets: int, is_outside: bool, room: Room) -> bool:
    """Count one forward to a destination; false if there is no room for it."""
    destination = kept.get(name)
    if destination is None:
        if not room.take(name, len(kept)):
            return False
        destination = kept[name] = Destination(at_ms, is_outside=is_outside)
    destination.add(at_ms, octets)
    return True
