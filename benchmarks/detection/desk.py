"""
The product as it runs: pipeline, ledger, pairing, detectors and policy with their defaults; the baselines beside it.

Nothing here knows a label. Mail goes in as the sensor sees it, a minute of packet time at once, as a live sensor would
hand it on; alarms come out. What lies between, the events that detectors work on, can be kept in a file, so that
detectors can be tried again without the mail being made and judged anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.detection.alarms import Alarm, AllowList
from benchmarks.detection.baselines import BASELINES, Baseline
from benchmarks.detection.chance import MINUTE_MS
from benchmarks.detection.mails import Sight, TlsSight
from benchmarks.detection.organisation import Allowed
from sensor.alert.alert import Alert
from sensor.alert.policy import Policy
from sensor.classify import Organisation as Domains
from sensor.detect import DetectorEvent, detectors
from sensor.detect.runner import Runner
from sensor.ledger import Ledger
from sensor.model import Finding
from sensor.pipeline import Pipeline
from sensor.settings import AlertSettings, AllowEntry

OURS = "all detectors"
"""The name under which the alarms of all detectors together are scored."""
DOMAINS = (".corp.example",)


class Minute(msgspec.Struct, frozen=True):
    """What the pipeline told of one minute, and when that minute was over."""

    now_ms: int
    events: list[DetectorEvent]


def minutes_of(sights: Iterable[Sight | TlsSight]) -> Iterator[Minute]:
    """The minutes in which mail was seen, through the pipeline."""
    domains = Domains(DOMAINS)
    pipeline = Pipeline(
        domains, Ledger(watches=domains.owns), transaction_type=_as_any(Sight), session_type=_as_any(TlsSight)
    )
    waiting: list[Sight | TlsSight] = []
    minute = 0
    for sight in sights:
        of_minute = sight.started_at_ns // (MINUTE_MS * 1_000_000)
        if of_minute != minute and waiting:
            yield Minute((minute + 1) * MINUTE_MS, pipeline.feed(_as_any(waiting)).events)
            waiting = []
        minute = of_minute
        waiting.append(sight)
    yield Minute((minute + 1) * MINUTE_MS, [*pipeline.feed(_as_any(waiting)).events, *pipeline.finish()])


def keep(minutes: Iterable[Minute], path: Path) -> Iterator[Minute]:
    """The same minutes, written to *path* on the way."""
    encode, packed = msgspec.json.Encoder().encode, zlib.compressobj(3)
    with path.open("wb") as out:
        for minute in minutes:
            out.write(packed.compress(encode(minute) + b"\n"))
            yield minute
        out.write(packed.flush())


def kept(path: Path) -> Iterator[Minute]:
    """What ``keep`` wrote."""
    decode = msgspec.json.Decoder(Minute).decode
    return map(decode, zlib.decompress(path.read_bytes()).splitlines())


class Desk:
    """Detectors and policy, and the baselines beside them: takes minutes, gives alarms."""

    def __init__(self, allowed: Sequence[Allowed]) -> None:
        self.runner = Runner(detectors())
        self._policy = Policy(AlertSettings(allow=_entries(allowed)))
        self._firing: set[str] = set()
        self._baselines: list[Baseline] = [kind(AllowList(allowed)) for kind in BASELINES]

    def alarms(self, minutes: Iterable[Minute]) -> Iterator[Alarm]:
        """Alarms in the order in which they are raised."""
        now_ms = 0
        for minute in minutes:
            now_ms = minute.now_ms
            findings = [*self.runner.feed(minute.events), *self.runner.wake(now_ms)]
            yield from self._told(findings, now_ms)
            for event in minute.events:
                for baseline in self._baselines:
                    yield from baseline.see(event)
        yield from self._told(self.runner.finish(), now_ms)

    def _told(self, findings: Sequence[Finding], now_ms: int) -> Iterator[Alarm]:
        for alert in self._policy.take(findings, now_ms):
            if alert.status == "firing":
                yield _alarm(alert, now_ms, is_first=alert.id not in self._firing)
                self._firing.add(alert.id)
            else:
                self._firing.discard(alert.id)


def _entries(allowed: Sequence[Allowed]) -> tuple[AllowEntry, ...]:
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


def _alarm(alert: Alert, now_ms: int, *, is_first: bool) -> Alarm:
    finding = alert.finding
    return Alarm(
        at_ms=now_ms,
        source=finding.detector,
        mailboxes=frozenset(finding.mailboxes),
        destinations=frozenset(finding.destinations),
        severity=alert.severity,
        said=finding.summary,
        is_first=is_first,
    )


def _as_any(value: Any) -> Any:
    """What satisfies a protocol by its attributes, as a type checker need not prove here."""
    return value
