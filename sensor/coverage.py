"""What was seen of the mail flow and how well: counts since the start, and the share of sessions in clear lately."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import get_args

from sensor.model import Outcome
from sensor.tally import SessionsSeen, Tally

HOUR_MS = 3_600_000
CLEAR_SHARE_HOURS = 24
# Hours remembered. Twice the window, so that files whose time runs back a day still add to theirs.
HOURS_KEPT = 2 * CLEAR_SHARE_HOURS


class ClearSessions:
    """
    Mail sessions in clear and in TLS, by hour of packet time.

    Hours are kept in the order in which they were first seen and the first goes first, so that packets of an absurd
    time take a place and no more.
    """

    def __init__(self) -> None:
        self._hours: dict[int, tuple[int, int]] = {}

    def add(self, seen: Iterable[SessionsSeen]) -> None:
        """Add sessions of some hours."""
        for hour, clear, tls in seen:
            clear_before, tls_before = self._hours.get(hour, (0, 0))
            if hour not in self._hours and len(self._hours) >= HOURS_KEPT:
                del self._hours[next(iter(self._hours))]
            self._hours[hour] = (clear_before + clear, tls_before + tls)

    def share(self, at_ms: int) -> float | None:
        """Share of sessions in clear in the 24 hours that end with the one of *at_ms*; none where none were seen."""
        newest = at_ms // HOUR_MS
        seen = [counts for hour, counts in self._hours.items() if newest - CLEAR_SHARE_HOURS < hour <= newest]
        clear, tls = sum(clear for clear, _ in seen), sum(tls for _, tls in seen)
        return clear / (clear + tls) if clear + tls else None


@dataclass(slots=True)
class Coverage:
    """
    What was seen and how well. Mails and sessions are counts; octets are those of mail sessions.

    ``untold_destinations`` are those beyond what one event names.
    """

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(get_args(Outcome), 0))
    tls_sessions: int = 0
    tls_octets: int = 0
    missing_octets: int = 0
    incomplete: int = 0
    one_sided: int = 0
    look_alikes: dict[str, int] = field(default_factory=dict)
    unattributed: int = 0
    untold_destinations: int = 0
    first_seen_ns: int | None = None
    last_seen_ns: int | None = None

    @property
    def transactions(self) -> int:
        """Transactions of every outcome."""
        return sum(self.outcomes.values())

    def add(self, batch: Tally) -> None:
        """Add what was seen in a batch."""
        for outcome, count in batch.outcomes.items():
            self.outcomes[outcome] += count
        self.tls_sessions += batch.tls_sessions
        self.tls_octets += batch.tls_octets
        self.missing_octets += batch.missing_octets
        self.incomplete += batch.incomplete
        self.one_sided += batch.one_sided
        self.first_seen_ns = _either(min, self.first_seen_ns, batch.first_seen_ns)
        self.last_seen_ns = _either(max, self.last_seen_ns, batch.last_seen_ns)


def _either(choose: Callable[[int, int], int], ours: int | None, theirs: int | None) -> int | None:
    """What *choose* makes of both, or the one that is there."""
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    return choose(ours, theirs)
