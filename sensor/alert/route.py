"""The way to one sink: who owes it what, what is delivered when, and what is counted of that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sensor.alert.courier import Courier, Owing
from sensor.alert.record import AlertRecord
from sensor.alert.sinks.base import AsyncSink, Delivered
from sensor.log import Log

CLOSE_S = 2.0
"""How long a sink may take to close. Its connection is cut off after that; what it has was noted before."""


@dataclass(frozen=True, slots=True)
class SinkStatistics:
    """
    One sink since it was opened, in records: ``delivered``, ``owed`` still, ``lost`` (no room in the spool, or gone
    with the memory they waited in), ``refused`` by the sink and set aside. ``failures`` counts tries that went wrong,
    ``problem`` says why the latest one did.
    """

    name: str
    delivered: int = 0
    owed: int = 0
    lost: int = 0
    refused: int = 0
    failures: int = 0
    problem: str | None = None


class Route:
    """
    One sink with its courier. The caller's thread owes, the loop's task delivers; the lock is held for the courier
    alone, never while a sink is waited for.
    """

    def __init__(
        self,
        sink: AsyncSink,
        owing: Owing,
        *,
        keeps: bool,
        set_aside: Callable[[AlertRecord], None],
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self.sink = sink
        self._owing = owing
        self._keeps = keeps
        self._aside = set_aside
        self._courier = Courier(sink.name, owing, batch=sink.batch, set_aside=self._set_aside)
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._wake = asyncio.Event()
        self._refresh_due_s = clock()
        self._told_problem: str | None = None
        # Of a spool, what it held in memory after the latest alerts, since the disk refused it.
        self._unkept = 0
        self._delivered = self._lost = self._refused = self._failures = 0

    # ---- in the caller's thread

    def take(self, records: Sequence[AlertRecord]) -> None:
        with self._lock:
            self._courier.take(records)
            lost, self._courier.lost = self._courier.lost, []
            self._lost += len(lost)
            why = self._courier.problem
            unkept = self._owing.unkept if self._keeps else 0
        if lost:
            self._log.error("alerts_lost", sink=self.sink.name, alerts=len(lost), why=why)
        if unkept and not self._unkept:
            self._log.error("spool_fails", sink=self.sink.name, why=why, so="alerts wait in memory")
        self._unkept = unkept

    def statistics(self) -> SinkStatistics:
        with self._lock:
            return SinkStatistics(
                name=self.sink.name,
                delivered=self._delivered,
                owed=self._courier.owed,
                lost=self._lost,
                refused=self._refused,
                failures=self._failures,
                problem=self._courier.problem or self._told_problem,
            )

    def let_go(self) -> None:
        """Close the spool, when nobody delivers any more. What is owed stays there, or is lost with the memory."""
        with self._lock:
            self._owing.close()
            lost = self._owing.unkept
            kept = self._courier.owed - lost
            self._lost += lost
        if kept:
            self._log.warning("sink_is_owed", sink=self.sink.name, alerts=kept, why=self._told_problem)
        if lost:
            self._log.error("alerts_lost", sink=self.sink.name, alerts=lost, why=self._told_problem)

    # ---- in the loop

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Deliver and refresh whenever something is due, until cancelled."""
        while True:
            self._wake.clear()
            delivered = await self._deliver()
            if not await self._refresh() and not delivered:
                await self._rest()

    def is_done(self) -> bool:
        """True where waiting brings nothing: all is delivered, or the sink fails and the spool keeps what it owes."""
        with self._lock:
            return not self._courier.owed or (self._keeps and self._told_problem is not None)

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.sink.close()

    async def _deliver(self) -> bool:
        """Deliver one batch; false where none is due."""
        with self._lock:
            parcel = self._courier.batch(self._clock())
        if not parcel:
            return False
        delivered = await _tried(self.sink.deliver(parcel.records), len(parcel.records))
        with self._lock:
            self._courier.settle(parcel, delivered, self._clock())
            self._delivered += delivered.count
        self._tell(delivered.problem)
        return True

    async def _refresh(self) -> bool:
        """Let the sink do what it does from time to time; false where that is not due."""
        every_s = self.sink.refresh_s
        if every_s is None or self._clock() < self._refresh_due_s:
            return False
        self._refresh_due_s = self._clock() + every_s
        refreshed = await _tried(self.sink.refresh(), 0)
        if refreshed.count or refreshed.problem is not None:
            self._tell(refreshed.problem)
        return True

    async def _rest(self) -> None:
        """Until something is due, or something is owed."""
        with self._lock:
            dues = [self._courier.next_try_s() if self._courier.owed else None]
        if self.sink.refresh_s is not None:
            dues.append(self._refresh_due_s)
        due_s = min((due for due in dues if due is not None), default=None)
        wait_s = None if due_s is None else max(due_s - self._clock(), 0.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()

    def _set_aside(self, record: AlertRecord) -> None:
        """Called by the courier, so under the lock."""
        self._refused += 1
        self._aside(record)

    def _tell(self, problem: str | None) -> None:
        """A problem is told once, not for each try, and so is its end."""
        if problem is not None:
            self._failures += 1
        if problem != self._told_problem:
            if problem is not None:
                self._log.error("sink_fails", sink=self.sink.name, why=problem)
            else:
                self._log.info("sink_works_again", sink=self.sink.name)
        self._told_problem = problem


async def _tried(delivery: Awaitable[Delivered], records: int) -> Delivered:
    """What became of it, also where the sink itself is at fault: one that fails is counted while the others go on."""
    try:
        return await delivery
    except Exception as error:  # noqa: BLE001 - whatever it is, the other sinks and later tries must not suffer
        return Delivered(0, unsure=records, problem=f"the sink itself failed: {type(error).__name__}")
