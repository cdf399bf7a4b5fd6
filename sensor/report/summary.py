"""What a replay came to, as plain values: the same for the terminal and for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from sensor.alert.alert import Alert, Status
from sensor.alert.allow import title
from sensor.alert.cases import cases_of
from sensor.alert.merge import SEVERITIES
from sensor.alert.policy import Policy
from sensor.coverage import Coverage
from sensor.ledger import Forwards, LedgerView
from sensor.model import Confidence, Evidence, Level, Severity
from sensor.pairing import PairingFront
from sensor.settings import AlertSettings

# Destinations named of one mailbox in a summary; the records hold them all.
DESTINATIONS_SHOWN = 5


class DamageView(Protocol):
    """One thing that was wrong with a source."""

    @property
    def path(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def offset(self) -> int | None: ...


class ShareSummary(msgspec.Struct, frozen=True, kw_only=True):
    """``auto_only`` in all forwards, with its 95 % Jeffreys interval."""

    value: float
    low: float
    high: float


class DestinationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One address forwarded to."""

    address: str
    count: int
    first_seen: str
    last_seen: str


class MailboxSummary(msgspec.Struct, frozen=True, kw_only=True):
    """
    How one mailbox forwards; ``paired`` are mails seen coming in and going out again without a mark.

    ``auto_share`` is of the others, and null where there are none.
    """

    mailbox: str
    level: Level
    auto_only: int
    auto_visible: int
    visible_only: int
    paired: int = 0
    attempts: int
    sent: int
    received: int
    auto_share: ShareSummary | None
    evidence: Evidence
    artifacts: dict[str, int]
    destinations: list[DestinationSummary]
    destinations_not_shown: int
    first_seen: str
    last_seen: str


class AlertSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it was last told. The alert record has the whole of it."""

    id: str
    case: int = 1
    status: Status
    severity: Severity
    confidence: Confidence
    detector: str
    mailbox: str | None
    destinations: list[str]
    summary: str
    first_seen: str
    last_seen: str


class AllowedSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the allow-list that did something, or that no longer holds: ``tellings`` counts what it covered."""

    entry: str
    reason: str
    expires: str
    expired: bool
    tellings: int
    findings: list[str]


class AlertsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of the detectors' findings: alerts by severity, the gravest of them, and the findings that were held
    back.

    Alerts that share a mailbox or a destination are one of ``cases``, and stand together.
    ``suppressed`` findings were allowed by the settings, ``below_minimum`` not grave enough to be told, and
    ``not_remembered`` alerts were told but are no longer at hand.
    """

    by_severity: dict[Severity, int]
    cases: int = 0
    shown: list[AlertSummary]
    not_shown: int
    not_remembered: int
    suppressed: int
    below_minimum: int
    allowed: list[AllowedSummary]
    detector_failures: dict[str, int]


class DamageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was wrong with one file."""

    path: str
    kind: str
    detail: str
    offset: int | None


class CoverageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen, what was not, and what was left out of the counts."""

    mails: int
    delivered: int
    rejected: int
    deferred: int
    aborted: int
    unknown: int
    incomplete: int
    one_sided: int
    missing_octets: int
    tls_sessions: int
    tls_octets: int
    unseen_mails: int = 0
    first_seen: str | None
    last_seen: str | None
    look_alikes: dict[str, int]
    unattributed_forwards: int
    duplicate_hops: int
    untold_destinations: int = 0
    mailboxes_evicted: int
    forwarders_evicted: int


class PairingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of mails that left and had a match among those that came, by verdict, and what pairing could not see:
    originals ``forgotten`` for want of room, ``ambiguous`` ones that too many mails share, copies ``judged_early``.
    """

    verdicts: dict[str, int] = {}
    forgotten: int = 0
    ambiguous: int = 0
    judged_early: int = 0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """
    The whole. ``counters`` and ``anomalies`` are the core's; those at zero are left out. ``inferred_domains`` are taken
    for the organisation's, where no setting names them.
    """

    record: str = "summary"
    schema: int = 1
    interrupted: bool
    direction_known: bool
    inferred_domains: list[str] = msgspec.field(default_factory=list)
    mailboxes: list[MailboxSummary]
    mailboxes_not_shown: int
    alerts: AlertsSummary
    coverage: CoverageSummary
    pairing: PairingSummary = PairingSummary()
    damage: list[DamageSummary]
    passed_over: list[str]
    counted_before: list[str] = msgspec.field(default_factory=list)
    counters: dict[str, int]
    anomalies: dict[str, int]


def summarise(
    ledger: LedgerView,
    coverage: Coverage,
    *,
    top_mailboxes: int,
    direction_known: bool,
    inferred_domains: Sequence[str] = (),
    interrupted: bool,
    damage: Sequence[DamageView],
    passed_over: Sequence[str],
    counted_before: Sequence[str] = (),
    counters: Mapping[str, int],
    anomalies: Mapping[str, int],
    alerts: Sequence[Alert] = (),
    alerts_dropped: int = 0,
    policy: Policy | None = None,
    now_ms: int = 0,
    detector_failures: Mapping[str, int] | None = None,
    pairing: PairingFront | None = None,
) -> Summary:
    """The summary of everything seen so far, with the *top_mailboxes* that forward most."""
    forwarders = ledger.forwarders()
    return Summary(
        interrupted=interrupted,
        direction_known=direction_known,
        inferred_domains=list(inferred_domains),
        mailboxes=[
            _mailbox(name, account.sent, account.received, forwards)
            for name, account, forwards in forwarders[:top_mailboxes]
        ],
        mailboxes_not_shown=max(0, len(forwarders) - top_mailboxes),
        alerts=_alerts(
            alerts, top_mailboxes, alerts_dropped, policy or Policy(AlertSettings()), now_ms, detector_failures or {}
        ),
        coverage=coverage_summary(coverage, ledger),
        pairing=PairingSummary() if pairing is None else _pairing(pairing),
        damage=[
            DamageSummary(path=each.path, kind=each.kind, detail=each.detail, offset=each.offset) for each in damage
        ],
        passed_over=list(passed_over),
        counted_before=list(counted_before),
        # The core gives them in any order; the same capture is to give the same summary, octet for octet.
        counters={name: count for name, count in sorted(counters.items()) if count},
        anomalies={slug: count for slug, count in sorted(anomalies.items()) if count},
    )


def _pairing(pairing: PairingFront) -> PairingSummary:
    return PairingSummary(
        verdicts=dict(sorted(pairing.verdicts.items())),
        forgotten=pairing.forgotten,
        ambiguous=pairing.ambiguous,
        judged_early=pairing.judged_early,
    )


def _mailbox(name: str, sent: int, received: int, forwards: Forwards) -> MailboxSummary:
    share = forwards.auto_share()
    by_count = sorted(forwards.destinations.items(), key=lambda each: (-each[1].count, each[0]))
    return MailboxSummary(
        mailbox=name,
        level=forwards.level,
        auto_only=forwards.auto_only,
        auto_visible=forwards.auto_visible,
        visible_only=forwards.visible_only,
        paired=forwards.paired,
        attempts=forwards.attempts,
        sent=sent,
        received=received,
        auto_share=ShareSummary(value=share[0], low=share[1], high=share[2]) if share is not None else None,
        evidence=forwards.evidence,
        artifacts=dict(sorted(forwards.slugs.items(), key=lambda each: (-each[1], each[0]))),
        destinations=[
            DestinationSummary(
                address=address,
                count=each.count,
                first_seen=utc_time(each.first_seen_ms * 1_000_000),
                last_seen=utc_time(each.last_seen_ms * 1_000_000),
            )
            for address, each in by_count[:DESTINATIONS_SHOWN]
        ],
        destinations_not_shown=max(0, len(by_count) - DESTINATIONS_SHOWN),
        first_seen=utc_time(forwards.first_seen_ms * 1_000_000),
        last_seen=utc_time(forwards.last_seen_ms * 1_000_000),
    )


def _alerts(
    alerts: Sequence[Alert], most: int, dropped: int, policy: Policy, now_ms: int, failures: Mapping[str, int]
) -> AlertsSummary:
    gravest = sorted(alerts, key=lambda each: (-SEVERITIES.index(each.severity), each.finding.first_seen_ms, each.id))
    by_severity = Counter(each.severity for each in gravest)
    told = {each.finding.id: each for each in gravest}
    cases = cases_of([each.finding for each in gravest])
    in_order = [(number, told[each.id]) for number, case in enumerate(cases, start=1) for each in case]
    return AlertsSummary(
        by_severity=dict(by_severity),
        cases=len(cases),
        shown=[_alert(each, number) for number, each in in_order[:most]],
        not_shown=max(0, len(gravest) - most),
        not_remembered=dropped,
        suppressed=policy.counters.suppressed,
        below_minimum=policy.counters.below_minimum,
        allowed=allowed_entries(policy, now_ms),
        detector_failures={name: count for name, count in sorted(failures.items()) if count},
    )


def allowed_entries(policy: Policy, now_ms: int) -> list[AllowedSummary]:
    """The entries of the allow-list that did something, and those that no longer hold at *now_ms*."""
    expired = policy.expired_entries(now_ms)
    worked = {id(each.entry): each for each in policy.suppressed()}
    entries = [*(each.entry for each in worked.values()), *(each for each in expired if id(each) not in worked)]
    return [
        AllowedSummary(
            entry=title(entry),
            reason=entry.reason,
            expires=entry.expires.isoformat(),
            expired=entry in expired,
            tellings=worked[id(entry)].tellings if id(entry) in worked else 0,
            findings=[each.summary for each in worked[id(entry)].findings.values()] if id(entry) in worked else [],
        )
        for entry in entries
    ]


def _alert(alert: Alert, case: int) -> AlertSummary:
    finding = alert.finding
    return AlertSummary(
        id=alert.id,
        case=case,
        status=alert.status,
        severity=alert.severity,
        confidence=finding.confidence,
        detector=finding.detector,
        mailbox=finding.mailbox,
        destinations=list(finding.destinations[:DESTINATIONS_SHOWN]),
        summary=finding.summary,
        first_seen=utc_time(finding.first_seen_ms * 1_000_000),
        last_seen=utc_time(finding.last_seen_ms * 1_000_000),
    )


def coverage_summary(coverage: Coverage, ledger: LedgerView) -> CoverageSummary:
    """What was seen and how well, in the words of reports."""
    return CoverageSummary(
        mails=coverage.transactions,
        delivered=coverage.outcomes["delivered"],
        rejected=coverage.outcomes["rejected"],
        deferred=coverage.outcomes["deferred"],
        aborted=coverage.outcomes["aborted"],
        unknown=coverage.outcomes["unknown"],
        incomplete=coverage.incomplete,
        one_sided=coverage.one_sided,
        missing_octets=coverage.missing_octets,
        tls_sessions=coverage.tls_sessions,
        tls_octets=coverage.tls_octets,
        unseen_mails=coverage.unseen_mails,
        first_seen=utc_time(coverage.first_seen_ns) if coverage.first_seen_ns is not None else None,
        last_seen=utc_time(coverage.last_seen_ns) if coverage.last_seen_ns is not None else None,
        look_alikes=dict(sorted(coverage.look_alikes.items(), key=lambda each: (-each[1], each[0]))),
        unattributed_forwards=coverage.unattributed,
        duplicate_hops=ledger.duplicates,
        untold_destinations=coverage.untold_destinations,
        mailboxes_evicted=ledger.mailboxes_evicted,
        forwarders_evicted=ledger.forwarders_evicted,
    )


def utc_time(at_ns: int) -> str:
    """RFC 3339 in whole seconds, UTC. Packet time is whatever a capture says: beyond year 9999 the number itself."""
    try:
        return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at_ns} ns"
