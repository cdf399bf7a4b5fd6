"""
Runs the detectors in this process: live states in bounded memory, events put in order, checkpoints of what changed.

Time is that of the events. Each detector is a stage with a queue of its own (``stage``): an event waits there until
the clock has moved on by the stage's lag (``lags``), and so meets the detector in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sensor.detect.base import DAY_MS, MAX_TIME_MS, Detector
from sensor.detect.drive import lags
from sensor.detect.events import DetectorEvent
from sensor.detect.held import HELD, decode_held
from sensor.detect.shards import Entry
from sensor.detect.stage import Stage
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

MAX_LEAP_MS = DAY_MS
"""
How far the clock moves on the word of one event. Damaged captures hold times of any year, and one of those would make
all states look expired; so a leap, forward or back, takes two times in a row that agree to within as much.
"""


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
        self._stages = tuple(Stage(each, lag_ms, most) for each, lag_ms in zip(stages, lags(stages), strict=True))
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
        stage_name, event = decode_held(blob) if detector == HELD else (detector, None)
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

    def _offer(self, event: DetectorEvent, stages: Sequence[Stage]) -> None:
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

    def _collect(self, at: int, stage: Stage) -> list[Finding]:
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
            oldest = min((stage for stage in self._stages if stage.live), key=Stage.oldest_ms)
            octets -= oldest.evict()
