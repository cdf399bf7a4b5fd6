"""A sink that waits for a disk, among those that are awaited: it works in a thread, so that no other waits with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from sensor.alert.record import AlertRecord
from sensor.alert.sinks.base import Delivered, PlainAsyncSink, Sink


class ThreadedSink(PlainAsyncSink):
    """Hands batches to *sink* in a thread of the running loop."""

    batch = 64

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        # A delivery that was given up goes on in its thread; closing waits for it.
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._sink.name

    async def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        return await asyncio.to_thread(self._deliver, batch)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        with self._lock:
            return self._sink.deliver(batch)

    def _close(self) -> None:
        with self._lock:
            self._sink.close()
