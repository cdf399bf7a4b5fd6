"""
The ``alert`` record: an alert as a JSON line, key by key and in this order.

Every key is always there; what is not known is null. Times are RFC 3339 with microseconds, UTC. A record tells the
whole alert, so a reader needs only the latest one of each ``id``. ``evidence`` holds the chain and the seal;
``redelivered`` is true where the same record may have been delivered before.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from sensor.alert import chain
from sensor.alert.advice import Mitigation, Step, mitigations_for, steps_for
from sensor.alert.alert import Alert, Cut, Status
from sensor.model import Actor, Confidence, Level, Measured, Seen, Severity

SCHEMA = 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What datetime can write. Packet times beyond it are those of damaged captures, and are told as the last it can.
_LATEST_MS = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_EARLIEST_MS = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


class MeasuredRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``observed`` and ``baseline``: a value with its 95 % interval; a side without bound is null."""

    what: str
    value: float | None
    low: float | None
    high: float | None
    unit: str


class LineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a mail that mattered: the row of the artifact table, where it stood, what stood there."""

    slug: str
    field: str
    value: str


class ExhibitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One mail that the claim rests on; ``at_ms`` is packet time in milliseconds, as it is hashed."""

    transaction_id: str
    at_ms: int
    lines: list[LineRecord]


class LinkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One exhibit in its place of the chain."""

    index: int
    previous: str
    digest: str
    exhibit: ExhibitRecord


class EvidenceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The chain (``length`` exhibits ever, of which the first and the last are here) and the seal of the record."""

    algorithm: Literal["sha256"]
    length: int
    head: str
    links: list[LinkRecord]
    seal: str


class AttackRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The technique of MITRE ATT&CK that the claim is of."""

    technique: str
    tactic: str
    mitigations: list[Mitigation]


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line with ``"record": "alert"``."""

    record: Literal["alert"]
    schema: Literal[1]
    id: str
    status: Status
    updates: int
    sensor: str
    first_fired_at: str
    last_updated_at: str
    resolved_at: str | None
    severity: Severity
    confidence: Confidence
    confidence_reason: str
    detector: str
    summary: str
    mailbox: str | None
    mailboxes: list[str]
    destinations: list[str]
    first_seen: str
    last_seen: str
    counts: dict[str, int]
    observed: MeasuredRecord | None
    baseline: MeasuredRecord | None
    level: Level
    level_reason: str
    coverage: Seen
    assumptions: list[str]
    gaps: list[str]
    actor: Actor
    allowed: list[Cut]
    attack: AttackRecord
    next_steps: list[Step]
    finding_ids: list[str]
    evidence: EvidenceRecord
    redelivered: bool


TACTIC = "TA0009"
"""Collection, the tactic of T1114 and what is under it."""


def record_of(alert: Alert, *, sensor: str) -> AlertRecord:
    """The record that tells *alert*, sealed."""
    finding = alert.finding
    plain: dict[str, Any] = {
        "record": "alert",
        "schema": SCHEMA,
        "id": alert.id,
        "status": alert.status,
        "updates": alert.updates,
        "sensor": sensor,
        "first_fired_at": rfc3339(alert.first_fired_ms),
        "last_updated_at": rfc3339(alert.last_updated_ms),
        "resolved_at": None if alert.resolved_at_ms is None else rfc3339(alert.resolved_at_ms),
        "severity": alert.severity,
        "confidence": finding.confidence,
        "confidence_reason": finding.confidence_reason,
        "detector": finding.detector,
        "summary": finding.summary,
        "mailbox": finding.mailbox,
        "mailboxes": finding.mailboxes,
        "destinations": finding.destinations,
        "first_seen": rfc3339(finding.first_seen_ms),
        "last_seen": rfc3339(finding.last_seen_ms),
        "counts": finding.counts,
        "observed": _measured(finding.observed),
        "baseline": _measured(finding.baseline),
        "level": finding.level,
        "level_reason": finding.level_reason,
        "coverage": msgspec.structs.replace(finding.coverage, clear_share=_finite(finding.coverage.clear_share)),
        "assumptions": finding.assumptions,
        "gaps": finding.gaps,
        "actor": finding.actor,
        "allowed": alert.cuts,
        "attack": AttackRecord(technique=finding.technique, tactic=TACTIC, mitigations=list(mitigations_for(finding))),
        "next_steps": steps_for(finding, alert.id),
        "finding_ids": alert.finding_ids,
        "evidence": {
            "algorithm": chain.ALGORITHM,
            "length": alert.chain.length,
            "head": alert.chain.head,
            "links": alert.chain.links,
            "seal": "",
        },
        "redelivered": False,
    }
    built: dict[str, Any] = msgspec.to_builtins(plain)
    built["evidence"]["seal"] = chain.seal(built)
    return msgspec.convert(built, AlertRecord)


def to_line(record: AlertRecord) -> bytes:
    """The record as one line of JSON, its line end included."""
    return msgspec.json.encode(record) + b"\n"


def read_alert(line: bytes) -> AlertRecord:
    """Read one line back. Raises ``msgspec.DecodeError``, of which its ``ValidationError`` is one kind."""
    return msgspec.json.decode(line, type=AlertRecord)


def rfc3339(at_ms: int) -> str:
    """Milliseconds since the epoch as records write times."""
    moment = _EPOCH + timedelta(milliseconds=min(max(at_ms, _EARLIEST_MS), _LATEST_MS))
    return moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.%fZ")


def ms_of(rfc3339_text: str) -> int:
    """Milliseconds since the epoch of a time as records write it."""
    return (datetime.fromisoformat(rfc3339_text) - _EPOCH) // timedelta(milliseconds=1)


def _measured(measured: Measured | None) -> MeasuredRecord | None:
    if measured is None:
        return None
    return MeasuredRecord(
        what=measured.what,
        value=_finite(measured.value),
        low=_finite(measured.low),
        high=_finite(measured.high),
        unit=measured.unit,
    )


def _finite(value: float | None) -> float | None:
    """JSON knows no infinity; what has no bound is null."""
    return value if value is not None and math.isfinite(value) else None
