"""
The product as it runs: pipeline, ledger, pairing, detectors and policy with their defaults; the baselines beside it.

Nothing here knows a label. Mail goes in as the sensor sees it, a minute of packet time at once, as a live sensor would
hand it on; alarms come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from benchmarks.detection.alarms import Alarm, AllowList
from benchmarks.detection.baselines import BASELINES, Baseline
from benchmarks.detection.chance import MINUTE_MS
from benchmarks.detection.mails import Sight, TlsSight
from benchmarks.detection.organisation import Allowed
from sensor.alert.alert import Alert
from sensor.alert.policy import Policy
from sensor.classify import Organisation as Domains
from sensor.detect import detectors
from sensor.detect.runner import Runner
from sensor.ledger import Ledger
from sensor.pipeline import Pipeline
from sensor.settings import AlertSettings, AllowEntry

OURS = "all detectors"
"""The name under which the alarms of all detectors together are scored."""
DOMAINS = (".corp.example",)


def allow_entries(allowed: Sequence[Allowed]) -> tuple[AllowEntry, ...]:
    """The organisation's allow-list as settings hold it."""
    return tuple(
        AllowEntry(
            reason=each.reason,
            expires=date(2099, 12, 31),
            mailbox=each.mailbox,
            destination=each.destination,
            domain=each.domain,
        )
        for each in allowed
    )


class Desk:
    """Takes what the sensor sees and gives alarms: those of the product and those of the baselines."""

    def __init__(self, allowed: Sequence[Allowed]) -> None:
        domains = Domains(DOMAINS)
        self.pipeline = Pipeline(
            domains,
            Ledger(watches=domains.owns),
            transaction_type=_as_any(Sight),
            session_type=_as_any(TlsSight),
        )
        self.runner = Runner(detectors())
        self._policy = Policy(AlertSettings(allow=allow_entries(allowed)))
        self._baselines: list[Baseline] = [kind(AllowList(allowed)) for kind in BASELINES]

    def alarms(self, sights: Iterable[Sight | TlsSight]) -> Iterator[Alarm]:
        """Alarms in the order in which they are raised."""
        waiting: list[Sight | TlsSight] = []
        minute = 0
        for sight in sights:
            of_minute = sight.started_at_ns // (MINUTE_MS * 1_000_000)
            if of_minute != minute and waiting:
                yield from self._minute(waiting, (minute + 1) * MINUTE_MS)
                waiting = []
            minute = of_minute
            waiting.append(sight)
        yield from self._minute(waiting, (minute + 1) * MINUTE_MS)
        yield from self._told(self.runner.finish(), (minute + 1) * MINUTE_MS)

    def _minute(self, sights: Sequence[Sight | TlsSight], now_ms: int) -> Iterator[Alarm]:
        events = self.pipeline.feed(_as_any(sights)).events
        for event in events:
            for baseline in self._baselines:
                yield from baseline.see(event)
        findings = [*self.runner.feed(events), *self.runner.wake(now_ms)]
        if findings:
            yield from self._told(findings, now_ms)

    def _told(self, findings: Any, now_ms: int) -> Iterator[Alarm]:
        for alert in self._policy.take(findings, now_ms):
            if alert.status == "firing":
                yield _alarm(alert, now_ms)


def _alarm(alert: Alert, now_ms: int) -> Alarm:
    finding = alert.finding
    return Alarm(
        at_ms=now_ms,
        source=finding.detector,
        mailboxes=frozenset(finding.mailboxes),
        destinations=frozenset(finding.destinations),
        severity=alert.severity,
        said=finding.summary,
        is_first=alert.updates == 0,
    )


def _as_any(value: Any) -> Any:
    """What satisfies a protocol by its attributes, as a type checker need not prove here."""
    return value
