"""What a detector claims, with all that the claim rests on."""

from __future__ import annotations

import msgspec

from sensor.model.forwarding import Artifact
from sensor.model.terms import Confidence, Level, Severity


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who handed a mail over: the identity and the two systems, as far as the wire tells."""

    auth_user: str | None = None
    helo: str | None = None
    client_ip: str | None = None
    server_ip: str | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval: ``what`` names it ("auto share"), ``unit`` is "share", "mails", "octets", "s"."""

    what: str
    value: float
    low: float
    high: float
    unit: str = "share"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the mail flow a finding could be drawn from."""

    clear_share: float | None = None
    missing_octets: int = 0


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One mail that a finding rests on: its transaction, its time, and the lines of it that mattered."""

    transaction_id: str
    at_ms: int
    lines: tuple[Artifact, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    A detector's claim about one mailbox (``mailbox`` is null where it is about a destination), with all it rests on.

    The same claim told again, later and with higher counts, has the same ``id``. ``exhibits`` are bounded: the first
    ones and the latest. Times are milliseconds of packet time. ``level_reason``, ``assumptions`` and ``gaps`` are
    sentences for an analyst. ``mailboxes`` are all that the claim affects. ``pairs`` says which of them forwards to
    which destination, where the claim is about several of both and all are named; empty where each may to each.
    """

    id: str
    detector: str
    mailbox: str | None
    mailboxes: tuple[str, ...]
    destinations: tuple[str, ...]
    summary: str
    first_seen_ms: int
    last_seen_ms: int
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    observed: Measured | None = None
    baseline: Measured | None = None
    level: Level = "unknown"
    level_reason: str = ""
    severity: Severity = "medium"
    confidence: Confidence = "medium"
    confidence_reason: str = ""
    coverage: Seen = Seen()
    assumptions: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    actor: Actor = Actor()
    exhibits: tuple[Exhibit, ...] = ()
    technique: str = "T1114.003"
    pairs: tuple[tuple[str, str], ...] = ()
