"""
Records that can be looked up while they are fresh: of mails that showed something, so that an alert's evidence is at
hand, and of mails that somebody watches for by Message-ID.

Strangers write mail. They fill the first kind, which is why it is a ring of its own; the second takes in nothing that
was not asked for before it came, so that no mail of theirs can push out what an admin waits for.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sensor.model import Forwarding, TapName, Transaction, TransactionRecord
from sensor.tally import Tally, fingerprint

PER_BATCH = 32
"""Records made of one batch, the last ones: at some 50 microseconds each, a flood of forwards costs a few percent."""

WATCHES = 16
"""Message-IDs watched for at a time, each somebody's probe. One more takes the place of the least lately asked for."""

WATCHED_S = 600.0
"""How long a Message-ID is watched for when nobody asks for it any more: greylisting holds a mail for minutes."""

WATCHED_RECORDS = 32
"""Records kept of one Message-ID, the first: a mail on each tap, and on each of some hops."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RecentRecords:
    """The last *places* records by transaction id, as JSON, each as *tell* tells it."""

    def __init__(
        self, places: int, tell: Callable[[TransactionRecord], TransactionRecord] = lambda record: record
    ) -> None:
        self._places = places
        self._tell = tell
        self._records: OrderedDict[str, bytes] = OrderedDict()

    def take(self, batch: Tally, forwardings: Mapping[int, Forwarding], *, sensor: str, tap: TapName) -> None:
        """Keep the mails of a batch that showed something."""
        shown = [index for index, each in forwardings.items() if each.artifacts or each.look_alike is not None]
        for index in shown[-min(PER_BATCH, self._places) :] if self._places else ():
            record = record_of(batch.transaction(index), forwardings[index], sensor=sensor, tap=tap)
            self._records[record.id] = msgspec.json.encode(self._tell(record))
            self._records.move_to_end(record.id)
        while len(self._records) > self._places:
            self._records.popitem(last=False)

    def get(self, transaction_id: str) -> bytes | None:
        """The record of that id, if it is among the latest."""
        return self._records.get(transaction_id)

    def __len__(self) -> int:
        return len(self._records)


@dataclass(slots=True)
class _Watch:
    until_s: float
    records: dict[str, bytes] = field(default_factory=dict)


class WatchedRecords:
    """
    Records of the mails whose Message-ID was asked for before they came, as JSON, each as *tell* tells it.

    Bounded by ``WATCHES``, ``WATCHED_S`` and ``WATCHED_RECORDS``. While nobody watches, a batch costs nothing; else a
    mail costs some 150 nanoseconds.
    """

    def __init__(
        self,
        tell: Callable[[TransactionRecord], TransactionRecord] = lambda record: record,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._watches: OrderedDict[int, _Watch] = OrderedDict()

    def ask(self, message_id: str) -> Sequence[bytes]:
        """What came of *message_id* (without <>) since it was first asked for. It is watched for from now on."""
        self._expire()
        key, until_s = fingerprint(message_id), self._clock() + WATCHED_S
        watch = self._watches.setdefault(key, _Watch(until_s))
        watch.until_s = until_s
        self._watches.move_to_end(key)
        while len(self._watches) > WATCHES:
            self._watches.popitem(last=False)
        return tuple(watch.records.values())

    def take(self, batch: Tally, forwardings: Mapping[int, Forwarding], *, sensor: str, tap: TapName) -> None:
        """Keep what of a batch is watched for. The same mail is kept once for each tap that saw it."""
        self._expire()
        for index, *_, trace in batch.mails if self._watches else ():
            watch = self._watches.get(trace.message_id)
            if watch is None or len(watch.records) >= WATCHED_RECORDS:
                continue
            shown = forwardings.get(index, Forwarding())
            record = record_of(batch.transaction(index), shown, sensor=sensor, tap=tap)
            watch.records[f"{tap} {record.id}"] = msgspec.json.encode(self._tell(record))

    def _expire(self) -> None:
        """Those asked for least lately stand first."""
        while self._watches and next(iter(self._watches.values())).until_s <= self._clock():
            self._watches.popitem(last=False)


def record_of(transaction: Transaction, forwarding: Forwarding, *, sensor: str, tap: TapName) -> TransactionRecord:
    """What the core writes of *transaction* (``Batch.to_json_lines``), as a value."""
    own: dict[str, Any] = {
        "record": "transaction",
        "schema": 1,
        "started_at": _time(transaction.started_at_ns),
        "ended_at": _time(transaction.ended_at_ns),
        "sensor": sensor,
        "tap": tap,
        "forwarding": forwarding,
    }
    types = {each.name: each.type for each in msgspec.structs.fields(TransactionRecord)}
    seen = {
        name: msgspec.convert(getattr(transaction, name), kind, from_attributes=True)
        for name, kind in types.items()
        if name not in own
    }
    return TransactionRecord(**own, **seen)


def _time(at_ns: int) -> str:
    """RFC 3339 with microseconds, UTC. What no calendar holds is told as its first or last moment."""
    try:
        moment = _EPOCH + timedelta(microseconds=at_ns // 1000)
    except OverflowError:
        moment = datetime.max.replace(tzinfo=UTC) if at_ns > 0 else datetime.min.replace(tzinfo=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
