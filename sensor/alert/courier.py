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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from sensor.alert.record import AlertRecord
from sensor.alert.sinks.base import Delivered, Sink
from sensor.alert.spool import Owed, SpoolFullError

BATCH = 64
"""Records handed to a sink at once. Alerts are few; a sink that was away for long is not flooded."""

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0
"""Five minutes: an outage costs a try every five minutes, and its end is noticed within five."""

MOST_REFUSALS = 3
"""
Times that a record is refused for what it says before it is set aside. More than once, since the fault may be that of
something between; not for ever, since one record that nobody takes would hold up all behind it.
"""


class Owing(Protocol):
    """Remembers what is owed: a ``Spool`` on disk, or a ``Waiting`` in memory."""

    @property
    def unkept(self) -> int:
        """Records that are owed and would be lost with the process."""
        ...

    def __len__(self) -> int: ...
    def add(self, record: AlertRecord, *, flush: bool = True) -> None: ...
    def flush(self) -> None: ...
    def owed(self, most: int) -> tuple[Owed, ...]: ...
    def trying(self, batch: Sequence[Owed]) -> None: ...
    def settle(self, batch: Sequence[Owed], count: int, unsure: int) -> None: ...
    def drop(self, owed: Owed) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery: records in order, those that may have arrived before marked as such."""

    owed: tuple[Owed, ...]
    records: tuple[AlertRecord, ...]

    def __bool__(self) -> bool:
        return bool(self.owed)


class Courier:
    """
    Owes records to the sink named *name*, by *spool*, *batch* of them at once. ``problem`` says why the sink does not
    take them, if so.

    A record that the sink refuses for what it says is given to *set_aside*, before it is owed no more.
    """

    def __init__(
        self, name: str, spool: Owing, *, batch: int = BATCH, set_aside: Callable[[AlertRecord], None] | None = None
    ) -> None:
        self.name = name
        self.problem: str | None = None
        self.lost: list[str] = []
        self._spool = spool
        self._batch = batch
        self._set_aside = set_aside
        self._refused = 0
        self._refusals = 0
        self._wait_s = 0.0
        self._due_s: float | None = None

    def take(self, records: Iterable[AlertRecord]) -> None:
        """
        Owe *records* to the sink. What the spool refuses is named in ``problem`` and by alert id in ``lost``, whose
        owner reads and clears it: an alert must not be lost in silence.
        """
        added = False
        for record in records:
            try:
                self._noting(partial(self._spool.add, record, flush=False))
                added = True
            except SpoolFullError as error:
                self.problem = str(error)
                self.lost.append(record.id)
        if added:
            self._noting(self._spool.flush)

    def batch(self, now_s: float) -> Parcel:
        """What is to be delivered now; empty if nothing is owed or the next try is not due."""
        if self._due_s is not None and now_s < self._due_s:
            return Parcel((), ())
        owed = self._spool.owed(self._batch)
        self._noting(lambda: self._spool.trying(owed))
        return Parcel(owed, tuple(_marked(each) for each in owed))

    def settle(self, parcel: Parcel, delivered: Delivered, now_s: float) -> None:
        """Take note of what became of *parcel*, and when to try again if it did not arrive whole."""
        self._noting(lambda: self._spool.settle(parcel.owed, delivered.count, delivered.unsure))
        self.problem = delivered.problem
        if delivered.problem is None or self._gives_up(parcel, delivered):
            self._wait_s, self._due_s = 0.0, None
            return
        self._wait_s = min(max(FIRST_RETRY_S, 2 * self._wait_s), LONGEST_RETRY_S)
        self._due_s = now_s + max(self._wait_s, delivered.retry_after_s or 0.0)

    def _gives_up(self, parcel: Parcel, delivered: Delivered) -> bool:
        """True where the record that the sink refuses was refused often enough and is set aside."""
        if not delivered.refuses_next or self._set_aside is None:
            return False
        refused = parcel.owed[delivered.count]
        self._refusals = self._refusals + 1 if refused.number == self._refused else 1
        self._refused = refused.number
        if self._refusals < MOST_REFUSALS:
            return False
        self._set_aside(refused.record)
        self._noting(lambda: self._spool.drop(refused))
        return True

    @property
    def owed(self) -> int:
        """Records that the sink does not have yet."""
        return len(self._spool)

    def next_try_s(self) -> float | None:
        """When the next batch is due; none if that is now."""
        return self._due_s

    def _noting(self, note: Callable[[], None]) -> None:
        """Have the spool note something. What it can't note it knows all the same, until the process ends."""
        try:
            note()
        except OSError as error:
            self.problem = f"the spool can't be written: {error.strerror}"


def deliver_all(courier: Courier, sink: Sink, now_s: float) -> None:
    """Deliver what is owed until nothing is, or until the sink fails."""
    while parcel := courier.batch(now_s):
        courier.settle(parcel, sink.deliver(parcel.records), now_s)


def _marked(owed: Owed) -> AlertRecord:
    if not owed.maybe_delivered or owed.record.redelivered:
        return owed.record
    return msgspec.structs.replace(owed.record, redelivered=True)
