"""
The incident report as plain values: what ledger, coverage, alerts and run came to, in the order in which it is read.

Everything is bounded, and what finds no room is counted beside it: a report of ten thousand forwarders is still one
page that a browser opens. Times are milliseconds of packet time or, where a record has them so, RFC 3339.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from sensor.alert.merge import CONFIDENCES, SEVERITIES
from sensor.alert.record import AlertRecord
from sensor.coverage import Coverage
from sensor.ledger import Account, Bucket, Forwards, LedgerView
from sensor.model import Evidence, Level, Severity
from sensor.report.summary import AllowedSummary, CoverageSummary, DamageSummary, ShareSummary, coverage_summary

MAX_ALERTS = 100
"""Alerts told in full, some 15 kB each. Who has more starts with the gravest and reads on in the alert file."""
MAX_MAILBOXES = 200
"""Mailboxes in the ranking."""
MAX_TIMELINES = 60
"""Time lines drawn, some 5 kB each."""
MAX_PAIRS = 1_000
"""Rows of the table of who forwards to whom."""
MAX_SCOPE = 24
"""Other mailboxes named in an alert that forward to the same destinations."""
MAX_NAMED = 5
"""Destinations named beside a mailbox in the ranking; the table of who forwards to whom names more."""
MAX_SOURCES = 200
"""Captures, damaged places and paths passed over that are named, of each."""
MAX_ENTRIES = 200
"""Entries of the allow-list that are told, with what they held back."""


class CaptureFacts(msgspec.Struct, frozen=True, kw_only=True):
    """
    A capture that was read. ``digest`` is as ``b2sum --length 128`` prints it; none where the file
    could not be read a second time, as with standard input.
    """

    name: str
    octets: int | None = None
    digest: str | None = None


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the run alone knows. ``continued`` says that counts begin with earlier runs, whose captures are not named;
    ``from_store`` that all of it is what runs have kept, where damage, anomalies and the allow-list's work are not.

    ``alerts_dropped`` were told and no longer fitted memory.
    """

    sensor: str
    version: str
    domains: Sequence[str] = ()
    domains_inferred: bool = False
    captures: Sequence[CaptureFacts] = ()
    continued: bool = False
    from_store: bool = False
    interrupted: bool = False
    damage: Sequence[DamageSummary] = ()
    passed_over: Sequence[str] = ()
    anomalies: Mapping[str, int] = {}
    alerts_dropped: int = 0
    below_minimum: int = 0
    detector_failures: Mapping[str, int] = {}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What one mailbox forwarded to one address."""

    mailbox: str
    destination: str
    is_outside: bool
    count: int
    octets: int
    first_seen_ms: int
    last_seen_ms: int


class MailboxFacts(msgspec.Struct, frozen=True, kw_only=True):
    """
    How one mailbox forwards. ``cells`` are counts in the order of ``ledger.CELLS``; ``to_outside`` are those that a
    rule sent to outside.

    ``alerts`` are the numbers of its alerts that are told in full, from 1; ``severity`` is the gravest of them all.
    ``nameless`` forwards went to addresses that found no room in the ledger.
    """

    name: str
    level: Level
    evidence: Evidence
    cells: Sequence[int]
    to_outside: int
    attempts: int
    share: ShareSummary | None
    sent: int
    received: int
    octets: int
    first_seen_ms: int
    last_seen_ms: int
    destinations: Sequence[str]
    destinations_not_shown: int
    nameless: int
    marks: Mapping[str, int]
    timeline: Sequence[Bucket]
    bucket_ms: int
    severity: Severity | None
    alerts: Sequence[int]


class ScopeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Mailboxes that forward to an alert's destinations as well and are not named in it, by name."""

    mailboxes: Sequence[str]
    not_shown: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Mailboxes by how they forward: each is counted wherever it fits."""

    mailboxes: int
    automatic: int
    to_outside: int
    by_hand: int
    paired: int
    refused: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. ``scopes`` belong to ``alerts``, one each."""

    facts: RunFacts
    coverage: CoverageSummary
    totals: Totals
    by_severity: Mapping[Severity, int]
    alerts: Sequence[AlertRecord]
    scopes: Sequence[ScopeFacts]
    alerts_not_shown: int
    allowed: Sequence[AllowedSummary]
    allowed_not_shown: int
    mailboxes: Sequence[MailboxFacts]
    mailboxes_not_shown: int
    pairs: Sequence[Pair]
    pairs_not_shown: int


_Forwarder = tuple[str, Account, Forwards]


def page_of(
    ledger: LedgerView,
    coverage: Coverage,
    facts: RunFacts,
    *,
    alerts: Iterable[AlertRecord] = (),
    allowed: Sequence[AllowedSummary] = (),
) -> Page:
    """The report of everything so far. *alerts* are walked once, and only those that are told in full are held."""
    told, by_severity, gravest = _gravest(alerts)
    forwarders = sorted(ledger.forwarders(), key=lambda each: _rank(each, gravest))
    pairs, pairs_not_shown = _pairs(forwarders)
    numbers = _alerts_by_mailbox(told)
    return Page(
        facts=facts,
        coverage=coverage_summary(coverage, ledger),
        totals=_totals([forwards for _, _, forwards in forwarders]),
        by_severity={each: by_severity[each] for each in reversed(SEVERITIES) if by_severity[each]},
        alerts=told,
        scopes=_scopes(told, forwarders),
        alerts_not_shown=by_severity.total() - len(told),
        allowed=allowed[:MAX_ENTRIES],
        allowed_not_shown=max(0, len(allowed) - MAX_ENTRIES),
        mailboxes=[
            _mailbox(name, account, forwards, gravest.get(name), numbers.get(name, ()))
            for name, account, forwards in forwarders[:MAX_MAILBOXES]
        ],
        mailboxes_not_shown=max(0, len(forwarders) - MAX_MAILBOXES),
        pairs=pairs,
        pairs_not_shown=pairs_not_shown,
    )


# ---- alerts


def _gravest(alerts: Iterable[AlertRecord]) -> tuple[list[AlertRecord], Counter[Severity], dict[str, Severity]]:
    """The alerts to be told in full, how many there are of each severity, and the gravest of each mailbox."""
    by_severity: Counter[Severity] = Counter()
    of_mailbox: dict[str, Severity] = {}

    def counted() -> Iterable[AlertRecord]:
        for alert in alerts:
            by_severity[alert.severity] += 1
            for mailbox in _names(alert):
                known = of_mailbox.get(mailbox, alert.severity)
                of_mailbox[mailbox] = max(known, alert.severity, key=SEVERITIES.index)
            yield alert

    told = heapq.nsmallest(
        MAX_ALERTS,
        counted(),
        key=lambda each: (
            -SEVERITIES.index(each.severity),
            -CONFIDENCES.index(each.confidence),
            each.status == "resolved",
            each.first_seen,
            each.id,
        ),
    )
    return told, by_severity, of_mailbox


def _names(alert: AlertRecord) -> Iterable[str]:
    return dict.fromkeys((*alert.mailboxes, alert.mailbox) if alert.mailbox is not None else alert.mailboxes)


def _alerts_by_mailbox(alerts: Sequence[AlertRecord]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, alert in enumerate(alerts, 1):
        for mailbox in _names(alert):
            numbers.setdefault(mailbox, []).append(number)
    return numbers


def _scopes(alerts: Sequence[AlertRecord], forwarders: Sequence[_Forwarder]) -> list[ScopeFacts]:
    users: dict[str, list[str]] = {destination: [] for alert in alerts for destination in alert.destinations}
    for name, _, forwards in forwarders:
        for destination in forwards.destinations:
            if destination in users:
                users[destination].append(name)
    return [_scope(alert, users) for alert in alerts]


def _scope(alert: AlertRecord, users: Mapping[str, Sequence[str]]) -> ScopeFacts:
    others = {name for destination in alert.destinations for name in users[destination]}.difference(_names(alert))
    return ScopeFacts(mailboxes=heapq.nsmallest(MAX_SCOPE, others), not_shown=max(0, len(others) - MAX_SCOPE))


# ---- mailboxes


def _rank(forwarder: _Forwarder, gravest: Mapping[str, Severity]) -> tuple[int | str, ...]:
    """By gravest alert, then by automatic forwards to outside, then by forwards of all kinds."""
    name, _, forwards = forwarder
    severity = gravest.get(name)
    return (
        -1 if severity is None else -2 - SEVERITIES.index(severity),
        -_to_outside(forwards),
        -forwards.automatic,
        -forwards.total,
        -forwards.paired,
        -forwards.attempts,
        name,
    )


def _to_outside(forwards: Forwards) -> int:
    return forwards.counted(("auto_only", "auto_visible"), "external").mails


def _totals(forwarders: Sequence[Forwards]) -> Totals:
    return Totals(
        mailboxes=len(forwarders),
        automatic=sum(each.automatic > 0 for each in forwarders),
        to_outside=sum(_to_outside(each) > 0 for each in forwarders),
        by_hand=sum(each.visible_only > 0 and not each.automatic for each in forwarders),
        paired=sum(each.paired > 0 for each in forwarders),
        refused=sum(each.attempts > 0 for each in forwarders),
    )


def _mailbox(
    name: str, account: Account, forwards: Forwards, severity: Severity | None, alerts: Sequence[int]
) -> MailboxFacts:
    share = forwards.auto_share()
    by_count = sorted(forwards.destinations, key=lambda each: (-forwards.destinations[each].count, each))
    return MailboxFacts(
        name=name,
        level=forwards.level,
        evidence=forwards.evidence,
        cells=tuple(forwards.cells),
        to_outside=_to_outside(forwards),
        attempts=forwards.attempts,
        share=None if share is None else ShareSummary(value=share[0], low=share[1], high=share[2]),
        sent=account.sent,
        received=account.received,
        octets=forwards.counted().octets,
        first_seen_ms=forwards.first_seen_ms,
        last_seen_ms=forwards.last_seen_ms,
        destinations=by_count[:MAX_NAMED],
        destinations_not_shown=max(0, len(by_count) - MAX_NAMED),
        nameless=forwards.other_destinations,
        marks=dict(sorted(forwards.slugs.items(), key=lambda each: (-each[1], each[0]))),
        timeline=tuple(forwards.timeline),
        bucket_ms=forwards.timeline.width_ms,
        severity=severity,
        alerts=alerts,
    )


def _pairs(forwarders: Sequence[_Forwarder]) -> tuple[list[Pair], int]:
    """Who forwards to whom, in the order of the ranking and then by count, and how many rows more there would be."""
    pairs: list[Pair] = []
    total = 0
    for name, _, forwards in forwarders:
        total += len(forwards.destinations)
        if len(pairs) >= MAX_PAIRS:
            continue
        by_count = sorted(forwards.destinations.items(), key=lambda each: (-each[1].count, each[0]))
        pairs += [
            Pair(
                mailbox=name,
                destination=address,
                is_outside=each.is_outside,
                count=each.count,
                octets=each.octets,
                first_seen_ms=each.first_seen_ms,
                last_seen_ms=each.last_seen_ms,
            )
            for address, each in by_count[: MAX_PAIRS - len(pairs)]
        ]
    return pairs, total - len(pairs)
