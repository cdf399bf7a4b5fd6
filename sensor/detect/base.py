"""
What a detector is: a pure function from a keyed state and an event to a new state and findings.

A detector knows no engine, clock, chance, file or module state. Its state lives under a key and travels as one bounded
blob, so the same detector runs in-process (``runner``) and on any stream engine (``drive``). The rules:

- State expires in ``step`` by the event's time. Whoever runs the detector may drop what is older than ``ttl_ms`` to
  get memory back; that changes no result.
- Events come to ``step`` in the order of ``order``, but for those that were more than ``lateness_ms`` late. Whoever
  runs the detector holds events back for that long and sorts them, so results do not depend on how events came in.
- An event that was seen already changes nothing, so what delivers events twice does no harm.
- A finding is told when its threshold is crossed, and again, with the same id, while it goes on (``Told``).
- Events that a detector derives are at most ``lateness_ms`` older than the event, or the time it asked to be woken
  at, that led to them.

``BaseDetector`` keeps these rules for all; a detector of ours says what it looks at and what it makes of one event.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import ClassVar, Generic, Protocol, TypeVar

import msgspec

from sensor.detect.events import DetectorEvent, stable_id
from sensor.model import Finding

S = TypeVar("S")

MAX_BLOB_OCTETS = 64 * 1024
"""What an encoded state may take; what would be larger is refused, so states bound themselves."""

MAX_KEY_CHARS = 512
"""Longer than any address (RFC 5321 4.5.3.1); what is longer goes by its beginning and a digest of the whole."""

MAX_SEEN = 64
"""Events of one key known again one by one; older ones are told by their time alone."""

MAX_TIME_MS = 2**53
"""Some 285,000 years either side of the epoch: beyond it a time is damage, and no longer exact as a JSON number."""

# Events whose marks are remembered, some MB: each is asked for its place by every detector, before it waits and after.
_MARKS = 16_384

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

LATENESS_MS = 2 * MINUTE_MS
"""
How much earlier than the latest event an event may be and still be put in order: mails are told of when they end, and
most take seconds. Every finding waits that long, so longer would cost more than it gains: a mail that comes later yet
counts all the same, out of order.
"""


@dataclass(frozen=True, slots=True)
class Out(Generic[S]):
    """What a step gives: the state to keep (none: forget the key), findings, events for later stages, a wake-up."""

    state: S | None
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


class Detector(Protocol[S]):
    """
    One idea of what may be wrong. ``key`` gives the key whose state an event concerns, none if it is not for this one.

    ``step`` may change the state it is given; if it raises, whoever runs it goes back to the state before.
    ``encode`` raises ``BlobTooLargeError`` beyond ``MAX_BLOB_OCTETS``; ``decode`` is its inverse, also for blobs of
    earlier versions, and raises ``BlobError`` for what is neither. ``last_ms`` is the time of the latest event that a
    state took in. ``derives`` is true where ``step`` may give events for the detectors behind.

    Where ``needs_timers`` is true, ``wake`` is called when event time has come to *at_ms*: at the time asked for, and
    also before any event and after a restart, so what is not due yet must be left as it is.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def ttl_ms(self) -> int: ...
    @property
    def lateness_ms(self) -> int: ...
    @property
    def needs_timers(self) -> bool: ...
    @property
    def derives(self) -> bool: ...

    def key(self, event: DetectorEvent) -> str | None: ...
    def step(self, state: S | None, event: DetectorEvent) -> Out[S]: ...
    def wake(self, state: S, key: str, at_ms: int) -> Out[S]: ...
    def last_ms(self, state: S) -> int: ...
    def encode(self, state: S) -> bytes: ...
    def decode(self, blob: bytes) -> S: ...


class BlobError(Exception):
    """A blob is none of this detector's."""


class BlobTooLargeError(BlobError):
    """A state would not fit a blob."""


class OptionError(ValueError):
    """An option is not one of the detector's, or out of its bounds."""


# ---- what states are made of


class Seen(msgspec.Struct):
    """
    The latest events of a key, so that one delivered twice is known: ``(at_ms, mark)``, in order, ``MAX_SEEN`` of them.

    What stands at or before ``floor``, the last one dropped, counts as seen: since events come in order, it was.
    """

    latest: list[tuple[int, int]] = []
    floor: tuple[int, int] | None = None

    def add(self, event: DetectorEvent) -> bool:
        """Note *event*; false if it was seen already."""
        place = order(event)
        at = bisect_left(self.latest, place)
        if (self.floor is not None and place <= self.floor) or self.latest[at : at + 1] == [place]:
            return False
        self.latest.insert(at, place)
        if len(self.latest) > MAX_SEEN:
            self.floor = self.latest.pop(0)
        return True


class Told(msgspec.Struct):
    """What was last told of an episode: the count it was told with, and when. Zero: nothing yet."""

    count: int = 0
    at_ms: int = 0

    def is_due(self, count: int, at_ms: int, *, goes_on: bool = False) -> bool:
        """
        True if a claim is news, and then noted as told: the first time, and when its *count* has doubled or has grown
        and a day has passed. With *goes_on* the day is enough: what is counted stands still while the claim goes on,
        and an alert that hears nothing for a week is taken to be over.
        """
        is_first = self.count == 0
        has_grown = goes_on or count > self.count
        is_due = is_first or count >= 2 * self.count or (has_grown and at_ms - self.at_ms >= DAY_MS)
        if is_due:
            self.count, self.at_ms = max(1, count), at_ms
        return is_due


class State(msgspec.Struct, kw_only=True):
    """What every state of ``BaseDetector`` holds: the latest event's time, the first one's id, and what was seen."""

    first_id: str
    first_ms: int
    last_ms: int
    seen: Seen = msgspec.field(default_factory=Seen)


StateT = TypeVar("StateT", bound=State)
EventT = TypeVar("EventT", bound=msgspec.Struct)


class BaseDetector(ABC, Generic[StateT, EventT]):
    """
    A detector of ours. It names ``event_type`` and ``state_type``, gives the key of an event, and observes.

    ``observe`` gets a state in which the event's time and id are noted already and may change it as it likes. A state
    that is older than ``ttl_ms`` is none, and an event seen before never gets there.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    ttl_ms: int
    lateness_ms: int = LATENESS_MS
    needs_timers: ClassVar[bool] = False
    derives: ClassVar[bool] = False
    OPTIONS: ClassVar[tuple[Option, ...]] = ()

    event_type: type[EventT]
    state_type: type[StateT]

    def __init__(self, options: Mapping[str, float] | None = None) -> None:
        self.options = option_values(self.OPTIONS, options or {})

    @abstractmethod
    def key_of(self, event: EventT) -> str | None:
        """The key whose state *event* concerns; none, or empty, if none does."""

    @abstractmethod
    def observe(self, state: StateT, event: EventT) -> Iterable[Finding]:
        """Take *event* into *state*, and tell what there is to tell."""

    def begin(self, event: EventT) -> StateT:
        """The state of a key that has none."""
        at_ms: int = event.at_ms  # type: ignore[attr-defined] # every event has a time and an id
        first_id: str = event.id  # type: ignore[attr-defined]
        return self.state_type(first_id=first_id[:64], first_ms=at_ms, last_ms=at_ms)

    def migrate(self, version: int, payload: bytes) -> StateT:
        """The state in the *payload* of a blob of an earlier version. Raises ``BlobError``."""
        raise BlobError(f"{self.name}: a blob of version {version}; this is version {self.version}")

    def key(self, event: DetectorEvent) -> str | None:
        if not isinstance(event, self.event_type) or abs(event.at_ms) > MAX_TIME_MS:
            return None
        key = self.key_of(event)
        return _bounded(key) if key else None

    def step(self, state: StateT | None, event: DetectorEvent) -> Out[StateT]:
        if not isinstance(event, self.event_type):
            return Out(state)
        if state is not None and event.at_ms - state.last_ms > self.ttl_ms:
            state = None
        if state is None:
            state = self.begin(event)
        if not state.seen.add(event):
            return Out(state)
        state.first_ms = min(state.first_ms, event.at_ms)
        state.last_ms = max(state.last_ms, event.at_ms)
        return Out(state, tuple(self.observe(state, event)))

    def wake(self, state: StateT, key: str, at_ms: int) -> Out[StateT]:
        return Out(state)

    def last_ms(self, state: StateT) -> int:
        return state.last_ms

    def encode(self, state: StateT) -> bytes:
        blob = bytes((self.version,)) + _ENCODER.encode(state)
        if len(blob) > MAX_BLOB_OCTETS:
            raise BlobTooLargeError(f"{self.name}: a state of {len(blob):,} octets")
        return blob

    def decode(self, blob: bytes) -> StateT:
        version, payload = blob[:1], blob[1:]
        if not version or version[0] > self.version or version[0] == 0:
            raise BlobError(f"{self.name}: not a blob of version 1 to {self.version}")
        try:
            if version[0] < self.version:
                return self.migrate(version[0], payload)
            return msgspec.msgpack.decode(payload, type=self.state_type)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise BlobError(f"{self.name}: a damaged blob: {error}") from error


_ENCODER = msgspec.msgpack.Encoder()


def order(event: DetectorEvent) -> tuple[int, int]:
    """Where *event* stands among others: by time, then by an eight-octet mark of its id."""
    return event.at_ms, _mark(event.id)


@lru_cache(_MARKS)
def _mark(event_id: str) -> int:
    digest = blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def option_values(options: Iterable[Option], given: Mapping[str, float]) -> dict[str, float]:
    """Each option's value: what is *given*, else its default. Raises ``OptionError``."""
    known = {option.name: option for option in options}
    for name, value in given.items():
        option = known.get(name)
        if option is None:
            raise OptionError(f'no option "{name}"; allowed: {", ".join(known) or "none"}')
        if not option.low <= value <= option.high:
            raise OptionError(f"{name} must be from {option.low:g} to {option.high:g}; it is {value!r}")
    return {name: float(given.get(name, option.default)) for name, option in known.items()}


def _bounded(key: str) -> str:
    return key if len(key) <= MAX_KEY_CHARS else f"{key[: MAX_KEY_CHARS - 33]}#{stable_id(key)}"
