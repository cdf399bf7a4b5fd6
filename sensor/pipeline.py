"""
The road of one mail after the tap: classify, ledger, detectors. Plain calls; no I/O, no clock.

Nearly all mail shows no trace of forwarding, so the loop does little for it: count who sent and who received.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, get_args

from sensor.classify import NONE, Organisation, Table, classify
from sensor.ledger import Ledger
from sensor.model import Event, Finding, Forwarding, Outcome, TlsSession, Transaction

# What a server took, or may have taken: the deciding reply was lost.
_TAKEN = frozenset(("delivered", "unknown"))


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

    def feed(self, events: Iterable[Event]) -> Verdicts:
        """Take one batch. Verdicts of direction alone are made only where the organisation is known."""
        verdicts = Verdicts({}, [])
        transaction_type, knows_direction = self._transaction_type, self._organisation.known
        see, see_forward, count_mail = self._see, self._see_forward, self.ledger.count_mail
        for index, event in enumerate(events):
            if not isinstance(event, transaction_type):
                if isinstance(event, self._session_type):
                    self._see_session(event)
                continue
            taken = see(event)
            sender = event.reverse_path
            if event.touched or knows_direction:
                forwarding = classify(event, self._organisation, self._table)
                if forwarding is not NONE:
                    verdicts.forwardings[index] = forwarding
                if forwarding.kind != "none" or forwarding.look_alike is not None:
                    see_forward(event, forwarding, taken, verdicts.findings)
                    sender = forwarding.mailbox or sender
            if taken:
                # A recipient whose verdict was never seen counts like the mail whose outcome was never seen.
                count_mail(
                    sender.lower() if sender else None,
                    [path.address.lower() for path in event.forward_paths if path.accepted or path.reply_code is None],
                )
        return verdicts

    def _see(self, transaction: Transaction) -> bool:
        """Count outcome and completeness; true if the mail was taken, or nothing shows that it was not."""
        coverage, completeness, outcome = self.coverage, transaction.completeness, transaction.outcome
        coverage.outcomes[outcome] += 1
        missing = completeness.missing_octets
        if missing or completeness.truncated or completeness.midstream:
            coverage.incomplete += 1
            coverage.missing_octets += missing
        if completeness.one_sided:
            coverage.one_sided += 1
        self._see_time(transaction.started_at_ns, transaction.ended_at_ns)
        return outcome in _TAKEN

    def _see_session(self, session: TlsSession) -> None:
        coverage = self.coverage
        coverage.tls_sessions += 1
        coverage.tls_octets += session.client_octets + session.server_octets
        self._see_time(session.started_at_ns, session.ended_at_ns)

    def _see_time(self, started_at_ns: int, ended_at_ns: int) -> None:
        coverage = self.coverage
        if coverage.first_seen_ns is None or started_at_ns < coverage.first_seen_ns:
            coverage.first_seen_ns = started_at_ns
        if coverage.last_seen_ns is None or ended_at_ns > coverage.last_seen_ns:
            coverage.last_seen_ns = ended_at_ns

    def _see_forward(self, event: Transaction, forwarding: Forwarding, taken: bool, findings: list[Finding]) -> None:
        coverage, alike = self.coverage, forwarding.look_alike
        if alike is not None:
            coverage.look_alikes[alike] = coverage.look_alikes.get(alike, 0) + 1
            return
        if forwarding.mailbox is None:
            coverage.unattributed += 1
        elif taken:
            header = event.header
            message_id = header.message_id if header is not None else None
            self.ledger.count_forward(forwarding, at_ns=event.started_at_ns, message_id=message_id)
        else:
            self.ledger.count_attempt(forwarding, at_ns=event.started_at_ns)
        for detector in self._detectors:
            finding = detector.observe(event, forwarding, self.ledger)
            if finding is not None:
                findings.append(finding)
