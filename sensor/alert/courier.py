"""
The courier of one sink: takes alert records, owes them to the spool, and says what is to be delivered when.

It does no delivery itself, so a plain loop and an asynchronous one drive the same courier:

    courier.take(records)
    while batch := courier.batch(now_s):
        courier.settle(batch, sink.deliver(batch.records), now_s)        # or: await sink.deliver(...)

After a failure the next batch is due later: twice as late each time, up to a bound, or when the other side asked.
``now_s`` is any clock that only rises.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from sensor.alert.record import AlertRecord
from sensor.alert.sinks.base import Delivered, Sink
from sensor.alert.spool import Owed, Spool, SpoolFullError

BATCH = 64
"""Records handed to a sink at once. Alerts are few; a sink that was away for long is not flooded."""

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0
"""Five minutes: an outage costs a try every five minutes, and its end is noticed within five."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery: records in order, those that may have arrived before marked as such."""

    owed: tuple[Owed, ...]
    records: tuple[AlertRecord, ...]

    def __bool__(self) -> bool:
        return bool(self.owed)


class Courier:
    """Owes records to the sink named *name*, by *spool*. ``problem`` says why the sink does not take them, if so."""

    def __init__(self, name: str, spool: Spool) -> None:
        self.name = name
        self.problem: str | None = None
        self.lost: list[str] = []
        self._spool = spool
        self._wait_s = 0.0
        self._due_s: float | None = None

    def take(self, records: Iterable[AlertRecord]) -> None:
        """
        Owe *records* to the sink. What the spool refuses is named in ``problem`` and by alert id in ``lost``, whose
        owner reads and clears it: an alert must not be lost in silence.
        """
        for record in records:
            try:
                self._spool.add(record)
            except (SpoolFullError, OSError) as error:
                self.problem = str(error)
                self.lost.append(record.id)

    def batch(self, now_s: float) -> Parcel:
        """What is to be delivered now; empty if nothing is owed or the next try is not due."""
        if self._due_s is not None and now_s < self._due_s:
            return Parcel((), ())
        owed = self._spool.owed(BATCH)
        try:
            self._spool.trying(owed)
        except OSError as error:
            self.problem = f"the spool can't be written: {error.strerror}"
        return Parcel(owed, tuple(_marked(each) for each in owed))

    def settle(self, parcel: Parcel, delivered: Delivered, now_s: float) -> None:
        """Take note of what became of *parcel*, and when to try again if it did not arrive whole."""
        try:
            self._spool.settle(parcel.owed, delivered.count, delivered.unsure)
        except OSError as error:
            self.problem = f"the spool can't be written: {error.strerror}"
        if delivered.problem is None:
            self._wait_s, self._due_s, self.problem = 0.0, None, None
            return
        self.problem = delivered.problem
        self._wait_s = min(max(FIRST_RETRY_S, 2 * self._wait_s), LONGEST_RETRY_S)
        self._due_s = now_s + max(self._wait_s, delivered.retry_after_s or 0.0)

    @property
    def owed(self) -> int:
        """Records that the sink does not have yet."""
        return len(self._spool)

    def next_try_s(self) -> float | None:
        """When the next batch is due; none if that is now."""
        return self._due_s


def deliver_all(courier: Courier, sink: Sink, now_s: float) -> None:
    """Deliver what is owed until nothing is, or until the sink fails."""
    while parcel := courier.batch(now_s):
        courier.settle(parcel, sink.deliver(parcel.records), now_s)


def _marked(owed: Owed) -> AlertRecord:
    if not owed.maybe_delivered or owed.record.redelivered:
        return owed.record
    return msgspec.structs.replace(owed.record, redelivered=True)
