"""From alerts to where they go: one call opens the way, the rest is writing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sensor.alert.alert import Alert
from sensor.alert.courier import Courier, deliver_all
from sensor.alert.record import AlertRecord, record_of
from sensor.alert.sinks import FILE_SINKS, Sink
from sensor.alert.sinks.base import SinkError
from sensor.alert.spool import Spool
from sensor.detect.events import stable_id
from sensor.log import Log
from sensor.settings import AlertSettings

FORMATS = tuple(FILE_SINKS)
"""What ``--alerts-format`` may be."""


@dataclass(slots=True)
class AlertWriter:
    """
    Writes alerts to one sink, by a spool if there is one. ``written`` counts those that arrived, ``lost`` those that
    its spool had no room for, or could not be written to it.
    """

    sensor: str
    target: str
    sink: Sink
    courier: Courier | None
    clock: Callable[[], float]
    log: Log
    written: int = 0
    lost: int = 0

    def write(self, alerts: Iterable[Alert]) -> None:
        """
        Write *alerts* in their order. With a spool a failing sink is told in the log, and what is owed waits on disk;
        without one, raises the ``OSError`` that broke it.
        """
        records = [record_of(alert, sensor=self.sensor) for alert in alerts]
        if self.courier is None:
            if records:
                self._straight(self.sink, records)
            return
        self.courier.take(records)
        self._deliver(self.courier)

    def _straight(self, sink: Sink, records: list[AlertRecord]) -> None:
        delivered = sink.deliver(records)
        self.written += delivered.count
        if delivered.problem is not None:
            number = delivered.cause.errno if delivered.cause is not None else None
            raise OSError(number, f"{delivered.problem}; the file is incomplete", self.target)

    def _deliver(self, courier: Courier) -> None:
        owed, problem = courier.owed, courier.problem
        deliver_all(courier, self.sink, self.clock())
        self.written += owed - courier.owed
        if courier.lost:
            self.log.error("alerts_lost", sink=courier.name, alerts=len(courier.lost), why=courier.problem)
            self.lost += len(courier.lost)
            courier.lost.clear()
        if courier.problem is not None and courier.problem != problem:
            self.log.error("sink_fails", sink=courier.name, why=courier.problem, owed=courier.owed)

    def let_go(self, spool: Spool) -> None:
        """Close *spool*; what the disk refused to the end is lost, and told."""
        spool.close()
        if spool.unkept:
            self.log.error("alerts_lost", sink=self.target, alerts=spool.unkept, why="the spool can't be written")
            self.lost += spool.unkept


@contextmanager
def open_alerts(
    target: str,
    settings: AlertSettings,
    *,
    form: str,
    sensor: str,
    clock: Callable[[], float],
    append: bool = False,
    log: Log | None = None,
) -> Iterator[AlertWriter]:
    """
    A writer of alerts to *target*, a file or ``-``, in the format *form* (one of ``FORMATS``).

    *clock* only rises and times the tries of a failing sink. What an earlier run still owes is delivered first. Raises
    ``SinkError`` and ``SpoolError`` for what the caller must put right.
    """
    if form not in FILE_SINKS:
        raise SinkError(f'there is no alert format "{form}"; there are {", ".join(FORMATS)}')
    spool = _spool(settings, form, target)
    try:
        sink = FILE_SINKS[form](target, append=append, durable=spool is not None)
    except SinkError:
        if spool is not None:
            spool.close()
        raise
    courier = Courier(form, spool) if spool is not None else None
    writer = AlertWriter(sensor, target, sink, courier, clock, log or Log())
    try:
        writer.write(())
        yield writer
    finally:
        sink.close()
        if spool is not None:
            writer.let_go(spool)


def _spool(settings: AlertSettings, form: str, target: str) -> Spool | None:
    """The spool of what goes to *target* in that format; targets of one name in two folders have two."""
    if not settings.spool_dir:
        return None
    place = stable_id(os.path.abspath(target))[:8] if target != "-" else "standard-output"
    path = os.path.join(settings.spool_dir, f"{form}-{os.path.basename(target)}-{place}.spool")
    return Spool(path, max_octets=settings.spool_octets, sync=settings.spool_sync)
