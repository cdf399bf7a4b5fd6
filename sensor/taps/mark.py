"""Batches without mail: they say something of the batches before and behind them, or of mail that is in none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sensor.model import Event
from sensor.tally import PlainTally


class Mark:
    """An empty batch that is handed on all the same."""

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Event]:
        return iter(())

    def tally(self, *, classify_all: bool) -> PlainTally:
        return PlainTally()

    def to_json_lines(
        self, forwardings: Mapping[int, bytes], default_forwarding: bytes, *, sensor: str, tap: str
    ) -> bytes:
        return b""
