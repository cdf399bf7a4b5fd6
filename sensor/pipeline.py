"""
The road of one mail after the tap: classify, ledger, detectors. Plain calls; no I/O, no clock.

Nearly all mail shows no trace of forwarding, so the loop does little for it: count who sent and who received. What it
needs of a batch comes as a tally, which the core draws in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, get_args

from sensor.classify import NONE, Organisation, Table, classify
from sensor.detect.events import Cell, ForwardRefused, ForwardSeen
from sensor.ledger import Ledger
from sensor.model import Event, Finding, Forwarding, Kind, Outcome, TlsSession, Transaction
from sensor.tally import Tally, tally


class Detector(Protocol):
    """Looks at every mail that shows forwarding, and claims something or nothing."""

    @property
    def name(self) -> str: ...
    def observe(self, transaction: Transaction, forwarding: Forwarding, ledger: Ledger) -> Finding | None: ...


@dataclass(slots=True)
class Coverage:
    """What was seen and how well. Mails and sessions are counts; octets are those of mail sessions."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(get_args(Outcome), 0))
    tls_sessions: int = 0
    tls_octets: int = 0
    missing_octets: int = 0
    incomplete: int = 0
    one_sided: int = 0
    look_alikes: dict[str, int] = field(default_factory=dict)
    unattributed: int = 0
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


@dataclass(slots=True)
class Verdicts:
    """What one batch came to. ``forwardings`` holds, by index, every verdict that is not the plain ``NONE``."""

    forwardings: dict[int, Forwarding]
    findings: list[Finding]


class Pipeline:
    """
    Runs batches of events through classifier, ledger and detectors.

    *transaction_type* and *session_type* are the classes that the tap's events are of.
    """

    def __init__(
        self,
        organisation: Organisation,
        ledger: Ledger,
        *,
        transaction_type: type[Transaction],
        session_type: type[TlsSession],
        table: Table | None = None,
        detectors: Sequence[Detector] = (),
    ) -> None:
        self._organisation = organisation
        self._table = table
        self._transaction_type = transaction_type
        self._session_type = session_type
        self._detectors = tuple(detectors)
        self.ledger = ledger
        self.coverage = Coverage()

    @property
    def classifies_all(self) -> bool:
        """True if mail that the artifact table does not touch is to be classified too: it has a direction."""
        return self._organisation.known

    def feed(self, events: Iterable[Event]) -> Verdicts:
        """Take events that come from anywhere as one batch."""
        drawn = tally(
            events,
            transaction_type=self._transaction_type,
            session_type=self._session_type,
            classify_all=self.classifies_all,
        )
        return self.take(drawn)

    def take(self, batch: Tally) -> Verdicts:
        """Take one batch. Verdicts of direction alone are made only where the organisation is known."""
        verdicts = Verdicts({}, [])
        self.coverage.add(batch)
        count_mail = self.ledger.count_mail
        # A tally gives no time for each mail: those that nobody looks at count at the batch's.
        at_ms = (batch.first_seen_ns or 0) // 1_000_000
        for index, taken, sender, recipients, transaction in batch.mails:
            forwarder = None if transaction is None else self._classify(index, transaction, taken, verdicts)
            if taken:
                count_mail(forwarder or sender, recipients, at_ms)
        return verdicts

    def _classify(self, index: int, transaction: Transaction, taken: bool, verdicts: Verdicts) -> str | None:
        """Judge one mail; the mailbox that forwarded it, in lower case, if one did."""
        forwarding = classify(transaction, self._organisation, self._table)
        if forwarding is NONE:
            return None
        verdicts.forwardings[index] = forwarding
        if forwarding.kind == "none" and forwarding.look_alike is None:
            return None
        self._see_forward(transaction, forwarding, taken, verdicts.findings)
        return forwarding.mailbox.lower() if forwarding.mailbox and forwarding.kind != "none" else None

    def _see_forward(self, event: Transaction, forwarding: Forwarding, taken: bool, findings: list[Finding]) -> None:
        coverage, alike = self.coverage, forwarding.look_alike
        if alike is not None:
            coverage.look_alikes[alike] = coverage.look_alikes.get(alike, 0) + 1
            if forwarding.kind != "none" or forwarding.mailbox is None:
                return
            # A report that a forward was refused: no forward, but somebody tried.
            self._count_attempt(event, forwarding)
        elif forwarding.mailbox is None:
            coverage.unattributed += 1
        elif taken:
            header = event.header
            message_id = header.message_id if header is not None else None
            self.ledger.count_forward(
                self._forward_seen(event, forwarding, forwarding.mailbox),
                message_id=message_id,
                slugs=_slugs(forwarding),
            )
        else:
            self._count_attempt(event, forwarding)
        for detector in self._detectors:
            finding = detector.observe(event, forwarding, self.ledger)
            if finding is not None:
                findings.append(finding)

    def _forward_seen(self, event: Transaction, forwarding: Forwarding, mailbox: str) -> ForwardSeen:
        return ForwardSeen(
            id=event.id,
            at_ms=event.started_at_ns // 1_000_000,
            transaction_id=event.id,
            mailbox=mailbox,
            cell=_CELLS[forwarding.kind],
            destinations=forwarding.destinations,
            outside=tuple(each for each in forwarding.destinations if not self._organisation.owns(each)),
            direction=forwarding.direction,
            level=forwarding.level,
            evidence=forwarding.evidence or "weak",
            octets=event.size_octets,
            lines=forwarding.artifacts,
        )

    def _count_attempt(self, event: Transaction, forwarding: Forwarding) -> None:
        attempt = ForwardRefused(
            id=event.id,
            at_ms=event.started_at_ns // 1_000_000,
            transaction_id=event.id,
            mailbox=forwarding.mailbox or "",
            destinations=forwarding.destinations,
            is_policy=False,
            level=forwarding.level,
        )
        self.ledger.count_attempt(attempt, evidence=forwarding.evidence, slugs=_slugs(forwarding))


_CELLS: dict[Kind, Cell] = {"auto": "auto_only", "both": "auto_visible", "visible": "visible_only"}


def _slugs(forwarding: Forwarding) -> set[str]:
    return {artifact.slug for artifact in forwarding.artifacts}
