"""
One key's turn on any engine: a blob and events in, a blob and what came of them out.

A stream engine keeps blobs by key and calls ``drive`` when it has events for a key or its watermark moved. All that an
adapter has left to do is to ask ``key``, to fetch and store, and to pass on what is derived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic

from sensor.detect.base import Detector, Out, S, order
from sensor.detect.events import DetectorEvent
from sensor.model import Finding


@dataclass(slots=True)
class Driven:
    """
    What came of one key's turn. ``blob`` is to be stored in place of the old one; empty: forget the key.

    ``held`` are the events that lie beyond the watermark: to be given again, with it moved. ``failed`` counts events
    on which the detector raised; they left no trace. With ``wake_at_ms`` the engine calls again, with or without
    events, once its watermark has come there.
    """

    blob: bytes = b""
    findings: list[Finding] = field(default_factory=list)
    derived: list[DetectorEvent] = field(default_factory=list)
    wake_at_ms: int | None = None
    held: tuple[DetectorEvent, ...] = ()
    failed: int = 0


def drive(detector: Detector[S], blob: bytes, key: str, events: Iterable[DetectorEvent], watermark_ms: int) -> Driven:
    """
    Run *detector* over those *events* of *key* that lie at or before *watermark_ms*, in order.

    The watermark says that, but for late ones, no event at or before it will come any more: it is the time of the
    latest event less the detector's lag (``lags``). *blob* is empty for a new key.
    Raises ``BlobError`` if it is not the detector's.
    """
    turn = _Turn(detector, key, blob)
    ahead = sorted(events, key=order)
    ready = [event for event in ahead if event.at_ms <= watermark_ms]
    for event in ready:
        turn.wake(event.at_ms)
        turn.step(event)
    turn.wake(watermark_ms)
    turn.expire(watermark_ms)
    turn.driven.held = tuple(ahead[len(ready) :])
    return turn.driven


def lags(detectors: Iterable[Detector[Any]]) -> tuple[int, ...]:
    """
    How far each detector's watermark stays behind the latest event, in milliseconds.

    That is its lateness. Behind a detector that derives events it is at least that one's lag and lateness together,
    since so much older than the latest event may a derived one be.
    """
    found: list[int] = []
    derived_lag_ms = 0
    for detector in detectors:
        found.append(max(detector.lateness_ms, derived_lag_ms))
        if detector.derives:
            derived_lag_ms = found[-1] + detector.lateness_ms
    return tuple(found)


class _Turn(Generic[S]):
    """The state of a key while events go through it, and its last good blob to go back to."""

    def __init__(self, detector: Detector[S], key: str, blob: bytes) -> None:
        self._detector = detector
        self._key = key
        self._state = detector.decode(blob) if blob else None
        self.driven = Driven(blob)

    def step(self, event: DetectorEvent) -> None:
        try:
            self._take(self._detector.step(self._state, event))
        except Exception:  # noqa: BLE001 - a detector's fault is counted, and is no reason to stop an engine
            self._go_back()

    def wake(self, at_ms: int) -> None:
        if self._state is None or not self._detector.needs_timers:
            return
        try:
            self._take(self._detector.wake(self._state, self._key, at_ms))
        except Exception:  # noqa: BLE001 - as above
            self._go_back()

    def expire(self, watermark_ms: int) -> None:
        detector = self._detector
        if self._state is not None and watermark_ms - detector.last_ms(self._state) > detector.ttl_ms:
            self.driven.blob = b""

    def _take(self, out: Out[S]) -> None:
        driven = self.driven
        driven.blob = b"" if out.state is None else self._detector.encode(out.state)
        driven.findings += out.findings
        driven.derived += out.derived
        driven.wake_at_ms = out.wake_at_ms
        self._state = out.state

    def _go_back(self) -> None:
        self.driven.failed += 1
        self._state = self._detector.decode(self.driven.blob) if self.driven.blob else None
