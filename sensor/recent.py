"""The latest records of mails that showed something, so that an alert's evidence can be looked up while it is fresh."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sensor.model import Forwarding, TapName, Transaction, TransactionRecord
from sensor.tally import Tally

PER_BATCH = 32
"""Records made of one batch, the last ones: at some 50 microseconds each, a flood of forwards costs a few percent."""

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
