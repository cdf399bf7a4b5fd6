"""Series of forwards, stated in a line, and what a detector tells of them however they are delivered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sensor.detect.base import DAY_MS, Detector, order
from sensor.detect.events import Context, DetectorEvent, ForwardSeen, stable_id
from sensor.model import Finding

MONDAY_MS = 20_003 * DAY_MS
"""A Monday at midnight, UTC: 7 October 2024."""

WATCHED = Context(clear_share=1.0, sensor_since_ms=MONDAY_MS - 60 * DAY_MS, mailbox_since_ms=MONDAY_MS - 60 * DAY_MS)


def forward(at_ms: int, *, to: str = "x@dst.example", **changes: Any) -> ForwardSeen:
    """One forward by ann to outside, from a rule and unmarked by it unless *changes* say otherwise."""
    facts: dict[str, Any] = {
        "transaction_id": f"t{at_ms}",
        "mailbox": "ann@corp.example",
        "cell": "auto_only",
        "destinations": (to,),
        "outside": (to,),
        "direction": "outbound",
        "level": "user",
        "evidence": "conclusive",
        "octets": 20_000,
        "context": WATCHED,
    } | changes
    facts.setdefault("id", stable_id(facts["mailbox"], facts["transaction_id"], to))
    return ForwardSeen(at_ms=at_ms, **facts)


def tell(detector: Detector[Any], events: Iterable[DetectorEvent]) -> list[Finding]:
    """
    What *detector* finds in *events*, put in order: the same in one go, with its state written and read back at every
    event, and with each event delivered twice.
    """
    ordered = sorted(events, key=order)
    findings = _run(detector, ordered)
    assert _run(detector, ordered, is_encoded=True) == findings
    assert _run(detector, [event for event in ordered for _ in range(2)]) == findings
    return findings


def _run(detector: Detector[Any], events: Iterable[DetectorEvent], *, is_encoded: bool = False) -> list[Finding]:
    states: dict[str, Any] = {}
    findings: list[Finding] = []
    for event in events:
        key = detector.key(event)
        if key is None:
            continue
        state = states.get(key)
        if is_encoded and state is not None:
            state = detector.decode(detector.encode(state))
        out = detector.step(state, event)
        states[key] = out.state
        findings.extend(out.findings)
    return findings
