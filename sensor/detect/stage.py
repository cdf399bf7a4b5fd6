"""
One detector at work in this process: a queue that puts its events in order, and its live states.

Beside each live state stands its latest blob. It is what a detector that raises goes back to, what bounds the memory,
and what a checkpoint writes; making it costs a few microseconds, and mails that show forwarding are few.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from sensor.detect.base import MAX_TIME_MS, Detector, Out, order
from sensor.detect.events import DetectorEvent
from sensor.detect.held import HELD, encode_held, held_name
from sensor.detect.shards import Entry, shard_of
from sensor.model import Finding


@dataclass(slots=True)
class _Live:
    """One key's state, as it is and as it was last encoded."""

    state: Any
    blob: bytes
    last_ms: int
    wake_at_ms: int | None = None


@dataclass(slots=True)
class Stage:
    """
    A detector with its queue and its live states, the ones longest without an event first.

    What it finds and derives waits in ``findings`` and ``derived`` for whoever runs it. ``octets`` are those of all
    blobs. ``failures`` counts events on which the detector raised, ``evicted`` states that had to make room, and
    ``released_early`` events that left the queue before their turn because it held more than ``max_held``.
    """

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
                yield HELD, held_name(self.name, waiting[0]), encode_held(self.name, waiting[3])
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
        waiting = {held_name(self.name, place): event for place, _, _, event in self._queue}
        for name in [name for name in self._held_written if name not in waiting]:
            del self._held_written[name]
            yield HELD, name, b""
        for name, event in waiting.items():
            if name not in self._held_written:
                self._held_written[name] = None
                yield HELD, name, encode_held(self.name, event)
