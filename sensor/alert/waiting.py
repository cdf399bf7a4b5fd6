"""What is owed to one sink where there is no spool: in memory, within a bound, gone with the process."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from sensor.alert.record import AlertRecord, to_line
from sensor.alert.spool import Owed, SpoolFullError


class Waiting:
    """
    A spool without a disk: records of at most *max_octets* as JSON, in their order.

    At its bound the newest is refused, as a spool does, so that a flood washes no earlier alert away.
    """

    def __init__(self, max_octets: int) -> None:
        self._max_octets = max_octets
        self._octets = 0
        self._number = 0
        self._owed: dict[int, tuple[AlertRecord, int]] = {}
        self._doubtful: set[int] = set()

    def __len__(self) -> int:
        return len(self._owed)

    @property
    def unkept(self) -> int:
        """All that is owed."""
        return len(self._owed)

    def add(self, record: AlertRecord, *, flush: bool = True) -> None:
        """Owe *record* to the sink. Raises ``SpoolFullError``."""
        octets = len(to_line(record))
        if self._octets + octets > self._max_octets:
            raise SpoolFullError(f"{self._octets:,} octets wait already, alert {record.id} is not kept")
        self._number += 1
        self._owed[self._number] = (record, octets)
        self._octets += octets

    def flush(self) -> None:
        """There is no disk to wait for."""

    def owed(self, most: int) -> tuple[Owed, ...]:
        first = islice(self._owed.items(), most)
        return tuple(Owed(number, record, number in self._doubtful) for number, (record, _) in first)

    def trying(self, batch: Sequence[Owed]) -> None:
        """Nobody will ask after the end of this process what was tried."""

    def settle(self, batch: Sequence[Owed], count: int, unsure: int) -> None:
        for each in batch[:count]:
            self.drop(each)
        self._doubtful.update(each.number for each in batch[count : count + unsure])

    def drop(self, owed: Owed) -> None:
        _, octets = self._owed.pop(owed.number, (None, 0))
        self._octets -= octets
        self._doubtful.discard(owed.number)

    def close(self) -> None:
        """Nothing is held that has to be let go."""
