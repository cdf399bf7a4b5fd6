"""Findings for tests: one line says what matters, the rest is plausible."""

from __future__ import annotations

from datetime import date
from typing import Any

from sensor.detect.events import stable_id
from sensor.model import Actor, Artifact, Exhibit, Finding, Measured, Seen
from sensor.settings import AlertSettings, AllowEntry

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_795_305_600_000
"""2026-11-22T00:00:00Z."""


def exhibit(number: int, *, at_ms: int = NOW_MS, value: str = "fay@corp.example") -> Exhibit:
    return Exhibit(
        transaction_id=f"tx{number:04}",
        at_ms=at_ms + number,
        lines=(Artifact(slug="sieve_redirected_from", field="X-Sieve-Redirected-From", value=value),),
    )


def finding(
    *,
    detector: str = "new_forwarder",
    mailbox: str | None = "fay@corp.example",
    destinations: tuple[str, ...] = ("fay.home@dst.example",),
    episode: str = "1",
    forwards: int = 1,
    at_ms: int = NOW_MS,
    **other: Any,
) -> Finding:
    facts: dict[str, Any] = {
        "id": stable_id(detector, str(mailbox), episode),
        "detector": detector,
        "mailbox": mailbox,
        "mailboxes": (mailbox,) if mailbox is not None else (),
        "destinations": destinations,
        "summary": f"{mailbox} began to forward mail by a rule.",
        "first_seen_ms": at_ms,
        "last_seen_ms": at_ms,
        "counts": {"forwards": forwards},
        "observed": Measured(what="auto share", value=1.0, low=0.8, high=1.0),
        "level": "user",
        "level_reason": "The mark is that of a sieve script, which users write.",
        "coverage": Seen(clear_share=0.5, missing_octets=12),
        "assumptions": ("The marks are genuine.",),
        "gaps": ("Half of the sessions were in TLS.",),
        "actor": Actor(auth_user=None, helo="mx.corp.example", client_ip="192.0.2.1", server_ip="198.51.100.2"),
        "exhibits": tuple(exhibit(number, at_ms=at_ms) for number in range(min(forwards, 8))),
    }
    return Finding(**(facts | other))


def settings(**changed: Any) -> AlertSettings:
    return AlertSettings(**({"min_severity": "informational"} | changed))


def allowed(expires: date = date(2027, 1, 31), reason: str = "known", **parts: str) -> AllowEntry:
    return AllowEntry(reason=reason, expires=expires, **parts)
