"""Batches that somebody waits for: who sent the mails in them is answered when their records are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sensor.model import Event
from sensor.tally import Tally
from sensor.taps.base import Batch


class AwaitedBatch:
    """
    *batch*, and whom to tell that its records are written. Whoever takes it calls ``settle`` once, when they are on
    disk or when they could not be written; until then the senders wait.
    """

    def __init__(self, batch: Batch, settle: Callable[[bool], None]) -> None:
        self._batch = batch
        self.settle = settle
        """Told true if all of the records are written. May be called from any thread."""

    def __len__(self) -> int:
        return len(self._batch)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._batch)

    def tally(self, *, classify_all: bool) -> Tally:
        return self._batch.tally(classify_all=classify_all)

    def to_json_lines(
        self, forwardings: Mapping[int, bytes], default_forwarding: bytes, *, sensor: str, tap: str
    ) -> bytes:
        return self._batch.to_json_lines(forwardings, default_forwarding, sensor=sensor, tap=tap)
