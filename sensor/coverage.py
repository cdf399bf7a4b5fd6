"""What was seen of the mail flow and how well: counts since the start, and the share that was in clear lately."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import get_args

import msgspec

from sensor.model import Outcome
from sensor.tally import SessionsSeen, Tally

HOUR_MS = 3_600_000
CLEAR_SHARE_HOURS = 24
# Hours remembered. Twice the window, so that files whose time runs back a day still add to theirs.
HOURS_KEPT = 2 * CLEAR_SHARE_HOURS

LIMITS: tuple[tuple[str, str, int], ...] = (
    (
        "unseen_mailboxes",
        "Mailboxes whose mail is known to have passed unseen lately; under 2 KB each. Told of longest ago goes first.",
        10_000,
    ),
)
"""Every bound of it, with its reason."""


class ClearSessions:
    """
    Mail sessions in clear and in TLS, and mails that passed a tap in line unseen, by hour of packet time.

    Hours are kept in the order in which they were first seen and the first goes first, so that packets of an absurd
    time take a place and no more.
    """

    def __init__(self) -> None:
        self._hours: dict[int, tuple[int, int, int]] = {}

    def add(self, seen: Iterable[SessionsSeen]) -> None:
        """Add sessions of some hours."""
        for hour, clear, tls in seen:
            self._add(hour, clear, tls, 0)

    def miss(self, at_ms: int, mails: int) -> None:
        """Add mails that passed unseen. Each counts like a session, though several may have come in one."""
        self._add(at_ms // HOUR_MS, 0, 0, mails)

    def lately(self, at_ms: int) -> tuple[float | None, int]:
        """
        Of the 24 hours that end with the one of *at_ms*: the share that was seen in clear, none where nothing was, and
        the mails that passed unseen.
        """
        newest = at_ms // HOUR_MS
        clear = hidden = unseen = 0
        for hour, counts in self._hours.items():
            if newest - CLEAR_SHARE_HOURS < hour <= newest:
                clear += counts[0]
                hidden += counts[1] + counts[2]
                unseen += counts[2]
        return clear / (clear + hidden) if clear + hidden else None, unseen

    def encode(self) -> bytes:
        """All of it, for a restart."""
        return msgspec.json.encode(self._hours)

    def restore(self, blob: bytes) -> None:
        """Go on from what was encoded. Raises ``msgspec.DecodeError``."""
        hours = msgspec.json.decode(blob, type=dict[int, tuple[int, int, int]])
        self._hours = dict(list(hours.items())[-HOURS_KEPT:])

    def _add(self, hour: int, *more: int) -> None:
        if hour not in self._hours and len(self._hours) >= HOURS_KEPT:
            del self._hours[next(iter(self._hours))]
        before = self._hours.get(hour, (0, 0, 0))
        self._hours[hour] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])


class UnseenByMailbox:
    """
    How many mails of a mailbox passed unseen lately, where it is known whose they were.

    Bounded by the limit ``unseen_mailboxes``: those told of longest ago go first, and ``forgotten`` counts them. Their
    mails stay in the counts of all.
    """

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        self._most = ({name: default for name, _, default in LIMITS} | dict(limits or {}))["unseen_mailboxes"]
        self._mailboxes: dict[str, dict[int, int]] = {}
        self.forgotten = 0

    def add(self, mailbox: str, at_ms: int) -> None:
        """A mail that *mailbox* sent or got passed unseen."""
        hours, hour = self._mailboxes.pop(mailbox, {}), at_ms // HOUR_MS
        if hour not in hours and len(hours) >= CLEAR_SHARE_HOURS:
            del hours[next(iter(hours))]
        hours[hour] = hours.get(hour, 0) + 1
        self._mailboxes[mailbox] = hours
        if len(self._mailboxes) > self._most:
            del self._mailboxes[next(iter(self._mailboxes))]
            self.forgotten += 1

    def lately(self, mailbox: str, at_ms: int) -> int:
        """Mails of the 24 hours that end with the one of *at_ms*."""
        newest = at_ms // HOUR_MS
        hours = self._mailboxes.get(mailbox, {})
        return sum(count for hour, count in hours.items() if newest - CLEAR_SHARE_HOURS < hour <= newest)


@dataclass(slots=True)
class Coverage:
    """
    What was seen and how well. Mails and sessions are counts; octets are those of mail sessions.

    ``unseen_mails`` passed a tap in line and are in no record, as far as that is known.
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
    unseen_mails: int = 0
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
