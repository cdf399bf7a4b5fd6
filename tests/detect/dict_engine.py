"""
An engine for detectors in a few lines, as an example of an adapter: blobs and waiting events by key, in workers.

A real one differs in where the blobs live, how events travel between workers, and in taking the watermark from its
broker. What a detector finds may not differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sensor.detect.base import Detector
from sensor.detect.drive import drive, lags
from sensor.detect.events import DetectorEvent
from sensor.detect.shards import Entry, pack, shard_of, unpack
from sensor.model import Finding


class DictEngine:
    """Runs *detectors* over *workers* dictionaries, each of which has the keys of some shards."""

    def __init__(self, detectors: Iterable[Detector[Any]], *, workers: int = 1) -> None:
        self._stages = list(zip(detectors, lags(detectors := tuple(detectors)), strict=True))
        self._blobs: list[dict[tuple[str, str], bytes]] = [{} for _ in range(workers)]
        self._waiting: dict[tuple[int, str], list[DetectorEvent]] = defaultdict(list)
        self._clock_ms = -(2**53)

    def feed(self, event: DetectorEvent) -> list[Finding]:
        """Take one event."""
        self._clock_ms = max(self._clock_ms, event.at_ms)
        self._route(event, 0)
        return self._turn(self._clock_ms)

    def finish(self) -> list[Finding]:
        """Give everything that waits its turn."""
        return self._turn(2**53)

    def rescale(self, workers: int) -> None:
        """Let another number of workers go on: each shard's entries travel as one packed blob."""
        shards: dict[int, list[Entry]] = defaultdict(list)
        for blobs in self._blobs:
            for (name, key), blob in blobs.items():
                shards[shard_of(key)].append((name, key, blob))
        self._blobs = [{} for _ in range(workers)]
        for shard, entries in shards.items():
            for name, key, blob in unpack(pack(entries)):
                self._blobs[shard % workers][name, key] = blob

    def _route(self, event: DetectorEvent, first: int) -> None:
        for at, (detector, _) in enumerate(self._stages[first:], start=first):
            key = detector.key(event)
            if key is not None:
                self._waiting[at, key].append(event)

    def _turn(self, clock_ms: int) -> list[Finding]:
        findings: list[Finding] = []
        for at, (detector, lag_ms) in enumerate(self._stages):
            for key in [key for stage, key in self._waiting if stage == at]:
                blobs = self._blobs[shard_of(key) % len(self._blobs)]
                driven = drive(
                    detector, blobs.get((detector.name, key), b""), key, self._waiting.pop((at, key)), clock_ms - lag_ms
                )
                blobs[detector.name, key] = driven.blob
                if driven.held:
                    self._waiting[at, key] = list(driven.held)
                findings += driven.findings
                for derived in driven.derived:
                    self._route(derived, at + 1)
        return findings
