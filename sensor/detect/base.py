"""
What a detector is: a pure function from a keyed state and an event to a new state and findings.

A detector knows no engine, clock, chance, file or module state. Its state lives under a key and travels as one bounded
blob, so the same detector runs in-process and on any stream engine. State expires in ``step`` by the event's time;
timers only give memory back. A finding is told when its threshold is crossed, and told again with the same id while
it goes on. What comes out does not depend on the order of events that lie within ``lateness_ms`` of each other, since
whoever runs it may sort those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sensor.detect.events import DetectorEvent
from sensor.model import Finding

State = TypeVar("State")

MAX_BLOB_OCTETS = 64 * 1024
"""What an encoded state may take; what would be larger is refused, so states bound themselves."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Out(Generic[State]):
    """What a step gives: the state to keep (none: forget the key), findings, events for later stages, a wake-up."""

    state: State | None
    findings: tuple[Finding, ...] = ()
    derived: tuple[DetectorEvent, ...] = ()
    wake_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One number that can be set for a detector: ``low`` and ``high`` bound it, *meaning* says what it does and why."""

    name: str
    default: float
    low: float
    high: float
    meaning: str


class Detector(Protocol[State]):
    """
    One idea of what may be wrong. ``key`` gives the key whose state an event concerns, none if it is not for this one.

    ``encode`` raises ``BlobTooLargeError`` beyond ``MAX_BLOB_OCTETS``; ``decode`` is its inverse, also for blobs of
    earlier versions, and raises ``BlobError`` for what is neither. Where ``needs_timers`` is true, ``wake`` is called
    once event time has passed the ``wake_at_ms`` asked for.
    """

    name: str
    version: int
    ttl_ms: int
    lateness_ms: int
    needs_timers: bool

    def key(self, event: DetectorEvent) -> str | None: ...
    def step(self, state: State | None, event: DetectorEvent) -> Out[State]: ...
    def wake(self, state: State, key: str, at_ms: int) -> Out[State]: ...
    def encode(self, state: State) -> bytes: ...
    def decode(self, blob: bytes) -> State: ...


class BlobError(Exception):
    """A blob is none of this detector's."""


class BlobTooLargeError(BlobError):
    """A state would not fit a blob."""
