"""
Runs the detectors in this process: live states in bounded memory, events put in order, checkpoints of what changed.

Time is that of the events. Each detector is a stage with a queue of its own: an event waits there until the clock has
moved on by the stage's lag (``lags``), and so meets the detector in order.

Beside each live state stands its latest blob. It is what a detector that raises goes back to, what bounds the memory,
and what a checkpoint writes; making it costs a few microseconds, and mails that show forwarding are few.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import msgspec

from sensor.detect.base import DAY_MS, MAX_TIME_MS, BlobError, Detector, Out, order
from sensor.detect.drive import lags
from sensor.detect.events import DetectorEvent
from sensor.detect.shards import Entry, shard_of
from sensor.model import Finding

LIMITS: tuple[tuple[str, str, int], ...] = (
    (
        "detector_states",
        "States of all detectors: six or so for each mailbox that forwards. Those longest without an event go first.",
        300_000,
    ),
    (
        "detector_octets",
        "Octets of those states at rest, one or two thousand each; live they take a few times that. As above.",
        256 * 1024 * 1024,
    ),
    (
        "detector_events_held",
        "Events that wait some minutes to be put in order, for each detector. Beyond it the oldest go ahead early.",
        50_000,
    ),
)

HELD = "held"
"""The name under which checkpoints keep waiting events, beside the detectors'."""

MAX_LEAP_MS = DAY_MS
"""
How far the clock moves on the word of one event. Damaged captures hold times of any year, and one of those would make
all states look expired; so a leap, forward or back, takes two times in a row that agree to within as much.
"""

_HELD_FORMAT = 1


class Runner:
    """
    Feeds events through *detectors*, in their order: what one derives goes to those behind it, or, where *on_derived*
    is given, what that makes of it: nothing, the event with more in it, or several of the same time.

    ``failures`` counts by detector the events on which it raised; they left no trace in its state, and the other
    detectors saw them. ``states_evicted`` and ``released_early`` count what the limits cost.
    """

    def __init__(
        self,
        detectors: Iterable[Detector[Any]],
        *,
        limits: Mapping[str, int] | None = None,
        on_derived: Callable[[DetectorEvent], Iterable[DetectorEvent]] | None = None,
    ) -> None:
        bounds = {name: default for name, _, default in LIMITS} | dict(limits or {})
        self._max_states = max(1, bounds["detector_states"])
        self._max_octets = bounds["detector_octets"]
        stages = tuple(detectors)
        most = max(1, bounds["detector_events_held"])
        self._stages = tuple(_Stage(each, lag_ms, most) for each, lag_ms in zip(stages, lags(stages), strict=True))
        self._by_name = {stage.name: stage for stage in self._stages}
        self._on_derived = on_derived
        self._clock_ms: int | None = None
        self._doubted_ms: int | None = None
        self._clock_is_kept = False
        self._latest_ms: int | None = None

    @property
    def failures(self) -> dict[str, int]:
        return {stage.name: stage.failures for stage in self._stages}

    @property
    def clock_ms(self) -> int | None:
        """The time of the latest event or mail, as far as it is believed; none before the first."""
        return self._clock_ms

    @property
    def latest_ms(self) -> int | None:
        """The furthest that the clock ever was: it goes back where captures are read out of their order."""
        return self._latest_ms

    @property
    def states(self) -> int:
        """States that are live."""
        return sum(len(stage.live) for stage in self._stages)

    @property
    def states_evicted(self) -> int:
        return sum(stage.evicted for stage in self._stages)

    @property
    def released_early(self) -> int:
        return sum(stage.released_early for stage in self._stages)

    def feed(self, events: Iterable[DetectorEvent]) -> list[Finding]:
        """Take *events*, in any order, and tell what those say whose turn has come."""
        for event in events:
            if abs(event.at_ms) <= MAX_TIME_MS:
                self._tick(event.at_ms)
                self._offer(event, self._stages)
        return self._advance()

    def wake(self, at_ms: int) -> list[Finding]:
        """Move the clock on to *at_ms*, which packet time has come to, so that events need not wait for others."""
        if abs(at_ms) <= MAX_TIME_MS and (self._clock_ms is None or at_ms > self._clock_ms):
            self._tick(at_ms)
        return self._advance()

    def finish(self) -> list[Finding]:
        """
        Let every waiting event have its turn, since nothing comes after them.

        The clock stays where it is, but what asked to be woken within a detector's lateness is.
        """
        findings: list[Finding] = []
        for at, stage in enumerate(self._stages):
            stage.take_ready(MAX_TIME_MS)
            if self._clock_ms is not None:
                stage.wake(self._clock_ms + stage.detector.lateness_ms)
            findings += self._collect(at, stage)
        return findings

    def changed(self) -> Iterator[Entry]:
        """
        What to write at a checkpoint: every state that changed since the last call, an empty blob for one that went.

        Waiting events are among them, under the name ``HELD``. Given to ``restore``, all that was ever told makes a
        runner that goes on from here.
        """
        for stage in self._stages:
            yield from stage.changed()

    def restore(self, detector: str, key: str, blob: bytes) -> None:
        """
        Take back one entry that ``changed`` or ``take_shard`` gave. An entry of a detector that is not among ours is
        left out, as after a setting turned it off. Raises ``BlobError`` if the blob is damaged.
        """
        if not blob:
            return
        stage_name, event = _decode_held(blob) if detector == HELD else (detector, None)
        stage = self._by_name.get(stage_name)
        if stage is None:
            return
        latest_ms = stage.restore(key, blob) if event is None else stage.restore_held(key, event)
        if not self._clock_is_kept:
            self._clock_ms = latest_ms if self._clock_ms is None else max(self._clock_ms, latest_ms)
        self._evict()

    def forget(self, detector: str, key: str) -> None:
        """Forget one state, if it is live; it is told by ``changed`` as gone."""
        stage = self._by_name.get(detector)
        if stage is not None:
            stage.forget(key)

    def restore_clock(self, at_ms: int) -> None:
        """Go on from what ``clock_ms`` was. It outranks the times of restored states: one may be of an absurd mail."""
        self._clock_ms, self._clock_is_kept = at_ms, True

    def take_shard(self, shard: int) -> list[Entry]:
        """Give up all that lives in *shard*, for another worker to add: states, and the events that wait for them."""
        return [entry for stage in self._stages for entry in stage.take(shard)]

    def add_shard(self, entries: Sequence[Entry]) -> None:
        """Take over what another worker gave up. Unlike what is restored, it is told by ``changed``."""
        for detector, key, blob in entries:
            self.restore(detector, key, blob)
        for stage in self._stages:
            stage.mark_changed({key for detector, key, _ in entries if detector == stage.name})

    # ---- the way of an event

    def _tick(self, at_ms: int) -> None:
        clock, doubted = self._clock_ms, self._doubted_ms
        if clock is not None and abs(at_ms - clock) <= MAX_LEAP_MS:
            self._clock_ms, self._doubted_ms = max(clock, at_ms), None
        elif clock is None or (doubted is not None and abs(at_ms - doubted) <= MAX_LEAP_MS):
            self._clock_ms, self._doubted_ms = at_ms, None
        else:
            self._doubted_ms = at_ms
        if self._clock_ms is not None and (self._latest_ms is None or self._clock_ms > self._latest_ms):
            self._latest_ms = self._clock_ms

    def _offer(self, event: DetectorEvent, stages: Sequence[_Stage]) -> None:
        for stage in stages:
            stage.offer(event)

    def _advance(self) -> list[Finding]:
        findings: list[Finding] = []
        if self._clock_ms is None:
            return findings
        for at, stage in enumerate(self._stages):
            watermark_ms = self._clock_ms - stage.lag_ms
            stage.take_ready(watermark_ms)
            stage.wake(watermark_ms)
            if self._doubted_ms is None:
                stage.expire(watermark_ms)
            findings += self._collect(at, stage)
        self._evict()
        return findings

    def _collect(self, at: int, stage: _Stage) -> list[Finding]:
        """What a stage found in its turn; what it derived goes on."""
        found, derived = stage.findings, stage.derived
        stage.findings, stage.derived = [], []
        for event in derived:
            for each in (event,) if self._on_derived is None else self._on_derived(event):
                self._offer(each, self._stages[at + 1 :])
        return found

    def _evict(self) -> None:
        octets = sum(stage.octets for stage in self._stages)
        while self.states > self._max_states or octets > self._max_octets:
            oldest = min((stage for stage in self._stages if stage.live), key=_Stage.oldest_ms)
            octets -= oldest.evict()


@dataclass(slots=True)
class _Live:
    """One key's state, as it is and as it was last encoded."""

    state: Any
    blob: bytes
    last_ms: int
    wake_at_ms: int | None = None


@dataclass(slots=True)
class _Stage:
    """A detector with its queue and its live states, the ones longest without an event first."""

    detector: Detector[Any]
    lag_ms: int
    max_held: int
    live: OrderedDict[str, _Live] = field(default_factory=OrderedDict)
    findings: list[Finding] = field(default_factory=list)
    derived: list[DetectorEvent] = field(default_factory=list)
    octets: int = 0
    failures: int = 0
    evicted: int = 0
    released_early: int = 0
    _queue: list[tuple[tuple[int, int], str, int, DetectorEvent]] = field(default_factory=list)
    _offered: int = 0
    _wakes: list[tuple[int, str]] = field(default_factory=list)
    _changed: set[str] = field(default_factory=set)
    _held_written: dict[str, None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.detector.name

    def offer(self, event: DetectorEvent) -> None:
        """Queue *event* if it concerns this detector."""
        try:
            key = self.detector.key(event)
        except Exception:  # noqa: BLE001 - a detector's fault is counted while the others go on
            self.failures += 1
            return
        if key is not None:
            # The count keeps events out of the comparison, and equal places in the order of their coming.
            heappush(self._queue, (order(event), key, self._offered, event))
            self._offered += 1

    def take_ready(self, watermark_ms: int) -> None:
        """Let the detector step over those waiting events whose turn has come, in order."""
        queue = self._queue
        while queue and (queue[0][0][0] <= watermark_ms or len(queue) > self.max_held):
            self.released_early += queue[0][0][0] > watermark_ms
            _, key, _, event = heappop(queue)
            self._step(key, event)

    def wake(self, watermark_ms: int) -> None:
        """Wake those states that asked for it."""
        while self._wakes and self._wakes[0][0] <= watermark_ms:
            wake_at_ms, key = heappop(self._wakes)
            live = self.live.get(key)
            if live is not None and live.wake_at_ms == wake_at_ms:
                self._wake_one(key, live, watermark_ms)

    def expire(self, watermark_ms: int) -> None:
        """Forget what is older than the detector looks back."""
        while self.live:
            key, live = next(iter(self.live.items()))
            if watermark_ms - live.last_ms <= self.detector.ttl_ms:
                return
            self._drop(key)

    def evict(self) -> int:
        """Forget the state longest without an event; the octets it had."""
        key = next(iter(self.live))
        octets = len(self.live[key].blob)
        self._drop(key)
        self.evicted += 1
        return octets

    def forget(self, key: str) -> None:
        """Forget one state, if it is live."""
        self._drop(key)

    def oldest_ms(self) -> int:
        return next(iter(self.live.values())).last_ms

    def restore(self, key: str, blob: bytes) -> int:
        """Make the state in *blob* live; the time of its latest event."""
        state = self.detector.decode(blob)
        last_ms = self.detector.last_ms(state)
        # When it asked to be woken is not in the blob: it is asked at once.
        self._put(key, _Live(state, blob, last_ms), last_ms if self.detector.needs_timers else None)
        return last_ms

    def restore_held(self, name: str, event: DetectorEvent) -> int:
        """Let *event* wait again, which is at rest under *name*; its time."""
        self._held_written[name] = None
        self.offer(event)
        return event.at_ms

    def changed(self) -> Iterator[Entry]:
        for key in sorted(self._changed):
            live = self.live.get(key)
            yield self.name, key, b"" if live is None else live.blob
        self._changed.clear()
        yield from self._changed_held()

    def mark_changed(self, keys: set[str]) -> None:
        """Have *keys*, and all that waits, told by ``changed``."""
        self._changed |= keys
        self._held_written.clear()

    def take(self, shard: int) -> Iterator[Entry]:
        """Give up what lives in *shard*."""
        for key in [key for key in self.live if shard_of(key) == shard]:
            yield self.name, key, self.live[key].blob
            self._drop(key)
        stay = []
        for waiting in self._queue:
            if shard_of(waiting[1]) == shard:
                yield HELD, _held_name(self.name, waiting[0]), _encode_held(self.name, waiting[3])
            else:
                stay.append(waiting)
        self._queue[:] = sorted(stay)

    def _step(self, key: str, event: DetectorEvent) -> None:
        live = self.live.get(key)
        if live is not None and live.wake_at_ms is not None and live.wake_at_ms <= event.at_ms:
            self._wake_one(key, live, event.at_ms)
            live = self.live.get(key)
        try:
            self._keep(key, self.detector.step(None if live is None else live.state, event))
        except Exception:  # noqa: BLE001 - as above
            self._go_back(key)

    def _wake_one(self, key: str, live: _Live, at_ms: int) -> None:
        live.wake_at_ms = None
        try:
            self._keep(key, self.detector.wake(live.state, key, at_ms), earliest_ms=at_ms + 1)
        except Exception:  # noqa: BLE001 - as above
            self._go_back(key)

    def _keep(self, key: str, out: Out[Any], *, earliest_ms: int = -MAX_TIME_MS) -> None:
        """Keep what a step or wake-up gave; it is not woken before *earliest_ms*."""
        if out.state is None:
            self._drop(key)
        else:
            blob = self.detector.encode(out.state)
            wake_at_ms = None if out.wake_at_ms is None else max(out.wake_at_ms, earliest_ms)
            self._put(key, _Live(out.state, blob, self.detector.last_ms(out.state)), wake_at_ms)
            self._changed.add(key)
        self.findings += out.findings
        self.derived += out.derived

    def _put(self, key: str, live: _Live, wake_at_ms: int | None) -> None:
        """Set a key's state; it moves to the end, as the one seen last."""
        before = self.live.pop(key, None)
        self.octets += len(live.blob) - (0 if before is None else len(before.blob))
        self.live[key] = live
        live.wake_at_ms = wake_at_ms
        if wake_at_ms is not None and (before is None or before.wake_at_ms != wake_at_ms):
            heappush(self._wakes, (wake_at_ms, key))

    def _drop(self, key: str) -> None:
        live = self.live.pop(key, None)
        if live is not None:
            self.octets -= len(live.blob)
            self._changed.add(key)

    def _go_back(self, key: str) -> None:
        """Undo whatever a step that raised did to the state."""
        self.failures += 1
        live = self.live.get(key)
        if live is None:
            return
        try:
            live.state = self.detector.decode(live.blob)
        except Exception:  # noqa: BLE001 - a state that can't be read back is no state
            self._drop(key)

    def _changed_held(self) -> Iterator[Entry]:
        waiting = {_held_name(self.name, place): event for place, _, _, event in self._queue}
        for name in [name for name in self._held_written if name not in waiting]:
            del self._held_written[name]
            yield HELD, name, b""
        for name, event in waiting.items():
            if name not in self._held_written:
                self._held_written[name] = None
                yield HELD, name, _encode_held(self.name, event)


# ---- waiting events at rest


def _held_name(stage: str, place: tuple[int, int]) -> str:
    return f"{stage}/{place[0]}/{place[1]}"


def _encode_held(stage: str, event: DetectorEvent) -> bytes:
    return bytes((_HELD_FORMAT,)) + msgspec.msgpack.encode((stage, event))


def _decode_held(blob: bytes) -> tuple[str, DetectorEvent]:
    if blob[:1] != bytes((_HELD_FORMAT,)):
        raise BlobError("not a waiting event of a known format")
    try:
        return msgspec.msgpack.decode(blob[1:], type=tuple[str, DetectorEvent])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BlobError(f"a damaged waiting event: {error}") from error
