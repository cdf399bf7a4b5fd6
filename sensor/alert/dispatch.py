"""
Takes alerts to every sink of the settings, behind the caller's back.

    write (caller's thread) -> spool of each sink -> one task for each sink, in one thread with a loop of its own

``write`` returns once the alert is on disk, whatever the sinks do: a slow or dead one stalls neither the caller nor
the others. Without a folder for spools the alerts wait in memory, and what no sink took is lost with the process.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from sensor.alert.alert import Alert
from sensor.alert.courier import Owing
from sensor.alert.record import AlertRecord, record_of
from sensor.alert.route import CLOSE_S, Route, SinkStatistics
from sensor.alert.sinks import open_file, open_sink
from sensor.alert.sinks.base import SinkError
from sensor.alert.spool import Spool
from sensor.alert.waiting import Waiting
from sensor.log import Log
from sensor.settings import AlertSettings, FileSinkSettings, SinkSettings

_LOOK_S = 0.02
"""Between two looks at whether all is delivered, at the end of a run."""


class Dispatch:
    """Every sink of the settings, at work in a thread of its own between ``start`` and ``close``."""

    def __init__(self, routes: Sequence[Route], *, sensor: str, drain_s: float) -> None:
        self._routes = routes
        self._sensor = sensor
        self._drain_s = drain_s
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="alert-sinks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def write(self, alerts: Iterable[Alert]) -> None:
        """Owe *alerts* to every sink, in their order. Returns once they are kept; raises nothing."""
        records = [record_of(alert, sensor=self._sensor) for alert in alerts]
        if not records:
            return
        for route in self._routes:
            route.take(records)
            self._loop.call_soon_threadsafe(route.wake)

    def remember(self, alerts: Iterable[Alert]) -> None:
        """
        Alerts that an earlier run has told and that still fire. They are not told anew; sinks that have to send again
        what fires (Alertmanager) go on with it.
        """
        records = [record_of(alert, sensor=self._sensor) for alert in alerts if alert.status == "firing"]
        for route in self._routes:
            self._loop.call_soon_threadsafe(route.sink.remember, records)

    def statistics(self) -> tuple[SinkStatistics, ...]:
        """Plain counts of each sink, at any time and from any thread."""
        return tuple(route.statistics() for route in self._routes)

    def close(self) -> None:
        """Wait ``drain_s`` at most for sinks that take what they are owed, and let all go."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(self._drain_s + 2 * CLOSE_S)
        for route in self._routes:
            route.let_go()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        tasks = [asyncio.create_task(route.run()) for route in self._routes]
        await self._stop.wait()
        await self._drained()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(route.close() for route in self._routes))

    async def _drained(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                while not all(route.is_done() for route in self._routes):  # noqa: ASYNC110 - a look costs nothing here
                    await asyncio.sleep(_LOOK_S)


@contextmanager
def open_sinks(
    settings: AlertSettings,
    environment: Mapping[str, str],
    *,
    sensor: str,
    clock: Callable[[], float] = time.monotonic,
    log: Log | None = None,
) -> Iterator[Dispatch]:
    """
    Every sink that *settings* name, at work until the block ends. *environment* may hold their secrets.

    *clock* only rises and times tries. What an earlier run still owes is delivered from the start on. Raises
    ``SinkError`` and ``SpoolError`` for what the caller must put right.
    """
    log = log or Log()
    with ExitStack() as opened:
        routes = [_route(each, settings, environment, clock=clock, log=log, opened=opened) for each in settings.sinks]
        dispatch = Dispatch(routes, sensor=sensor, drain_s=settings.drain_s)
        dispatch.start()
        # From here on the dispatch closes the spools, when nobody uses them any more.
        opened.pop_all()
        try:
            yield dispatch
        finally:
            dispatch.close()


def _route(
    each: SinkSettings,
    settings: AlertSettings,
    environment: Mapping[str, str],
    *,
    clock: Callable[[], float],
    log: Log,
    opened: ExitStack,
) -> Route:
    """One sink with its queue, and where it puts what the sink refuses."""
    keeps = bool(settings.spool_dir)
    sink = open_sink(each, environment, most_firing=settings.max_alerts, durable=keeps and settings.spool_sync)
    owing: Owing = Waiting(settings.spool_octets)
    if keeps:
        path = os.path.join(settings.spool_dir, f"sink-{each.name}.spool")
        owing = Spool(path, max_octets=settings.spool_octets, sync=settings.spool_sync)
    opened.callback(owing.close)
    return Route(sink, owing, keeps=keeps, set_aside=_aside(each.name, settings, log), clock=clock, log=log)


def _aside(name: str, settings: AlertSettings, log: Log) -> Callable[[AlertRecord], None]:
    """
    Keeps records that the sink refuses for what they say: beside its spool, bounded as the spool is. Without a folder
    for spools the log alone tells of them.
    """
    path = os.path.join(settings.spool_dir, f"sink-{name}.refused.jsonl")
    file = FileSinkSettings(name=name, path=path, rotate_octets=settings.spool_octets, keep_files=1)

    def keep(record: AlertRecord) -> None:
        problem: str | None = "there is no alerts.spool_dir to keep it in"
        if settings.spool_dir:
            try:
                sink = open_file(file, durable=settings.spool_sync)
                problem = sink.deliver([record]).problem
                sink.close()
            except (SinkError, OSError) as error:
                problem = str(error)
        log.error(
            "alert_refused", sink=name, alert=record.id, updates=record.updates, kept=problem is None, why=problem
        )

    return keep
