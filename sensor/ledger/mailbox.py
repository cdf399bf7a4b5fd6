"""One mailbox's account: how much it sent and received, and what it forwarded, how and to whom."""

from __future__ import annotations

from sensor.intervals import jeffreys
from sensor.model import Evidence, Forwarding, Level

_EVIDENCE_RANK: dict[Evidence, int] = {"conclusive": 0, "strong": 1, "weak": 2}


class Account:
    """Counts of one mailbox. Most forward nothing, so what concerns forwarding is made when it is first needed."""

    __slots__ = ("forwards", "received", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.forwards: Forwards | None = None


class Destination:
    """One address that a mailbox forwards to. Times are nanoseconds of packet time."""

    __slots__ = ("count", "first_seen_ns", "last_seen_ns")

    def __init__(self, at_ns: int) -> None:
        self.count = 0
        self.first_seen_ns = at_ns
        self.last_seen_ns = at_ns


class Forwards:
    """
    What one mailbox forwarded, in four cells: by a rule alone, by a rule and looking so, by hand, and (by pairing
    mail in with mail out, where no mark tells) ``paired``. Forwards that no server took responsibility for are
    ``attempts``.

    ``destinations`` is bounded; what finds no room is counted in ``other_destinations``.
    """

    __slots__ = (
        "attempts",
        "auto_only",
        "auto_visible",
        "destinations",
        "evidence",
        "first_seen_ns",
        "last_seen_ns",
        "levels",
        "other_destinations",
        "paired",
        "slugs",
        "visible_only",
    )

    def __init__(self, at_ns: int) -> None:
        self.auto_only = 0
        self.auto_visible = 0
        self.visible_only = 0
        self.paired = 0
        self.attempts = 0
        self.first_seen_ns = at_ns
        self.last_seen_ns = at_ns
        self.destinations: dict[str, Destination] = {}
        self.other_destinations = 0
        self.levels: set[Level] = set()
        self.evidence: Evidence = "weak"
        self.slugs: dict[str, int] = {}

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
        specific = self.levels - {"either", "unknown"}
        if len(specific) == 1:
            return next(iter(specific))
        return "either" if self.levels else "unknown"

    def auto_share(self) -> tuple[float, float, float] | None:
        """Share of ``auto_only`` in all forwards, with its 95 % Jeffreys interval: (share, low, high)."""
        total = self.total
        if not total:
            return None
        low, high = jeffreys(self.auto_only, total)
        return self.auto_only / total, low, high

    def add(self, forwarding: Forwarding, at_ns: int, max_destinations: int) -> None:
        """Count one forward."""
        if forwarding.kind == "auto":
            self.auto_only += 1
        elif forwarding.kind == "both":
            self.auto_visible += 1
        else:
            self.visible_only += 1
        self._mark(forwarding, at_ns)
        for address in forwarding.destinations:
            self._add_destination(address, at_ns, max_destinations)

    def add_attempt(self, forwarding: Forwarding, at_ns: int) -> None:
        """Count a forward that was refused or given up."""
        self.attempts += 1
        self._mark(forwarding, at_ns)

    def _mark(self, forwarding: Forwarding, at_ns: int) -> None:
        # Packet time may run backwards between files, so both ends move.
        self.first_seen_ns = min(self.first_seen_ns, at_ns)
        self.last_seen_ns = max(self.last_seen_ns, at_ns)
        if forwarding.kind != "visible":
            self.levels.add(forwarding.level)
        evidence = forwarding.evidence
        if evidence is not None and _EVIDENCE_RANK[evidence] < _EVIDENCE_RANK[self.evidence]:
            self.evidence = evidence
        for slug in {artifact.slug for artifact in forwarding.artifacts}:
            self.slugs[slug] = self.slugs.get(slug, 0) + 1

    def _add_destination(self, address: str, at_ns: int, max_destinations: int) -> None:
        destination = self.destinations.get(address)
        if destination is None:
            if len(self.destinations) >= max_destinations:
                self.other_destinations += 1
                return
            destination = self.destinations[address] = Destination(at_ns)
        destination.count += 1
        destination.first_seen_ns = min(destination.first_seen_ns, at_ns)
        destination.last_seen_ns = max(destination.last_seen_ns, at_ns)
