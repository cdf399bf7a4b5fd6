"""
Counts over a sliding window of event time, in slots: what a detector's state keeps instead of every event.

A window of n slots ends with the slot of the latest event, and so reaches back between n - 1 and n slots. The counts
are a plain dictionary, slot number to cells, so that a state stays plain data; what they mean is the detector's.
"""

from __future__ import annotations

from dataclasses import dataclass

Counts = dict[int, list[int]]

MOST = 1 << 53
"""No cell grows beyond: octets of mail come from hostile hands, and a blob's numbers have 64 bits."""


@dataclass(frozen=True, slots=True)
class Window:
    """``slots`` slots of ``slot_ms`` each, and ``cells`` counts in each."""

    slot_ms: int
    slots: int
    cells: int

    def slot(self, counts: Counts, at_ms: int) -> list[int] | None:
        """The cells that *at_ms* falls into, to be added to; none if that is before the window."""
        number = at_ms // self.slot_ms
        self.expire(counts, at_ms)
        if counts and number <= max(counts) - self.slots:
            return None
        return counts.setdefault(number, [0] * self.cells)

    def expire(self, counts: Counts, at_ms: int) -> list[list[int]]:
        """Take out what is before the window that ends at *at_ms*, oldest first."""
        first = at_ms // self.slot_ms - self.slots + 1
        return [counts.pop(number) for number in sorted(counts) if number < first]

    def live(self, counts: Counts, at_ms: int) -> list[list[int]]:
        """The cells of each slot of the window that ends at *at_ms* or with the latest slot, whichever is later."""
        first = max(at_ms // self.slot_ms, max(counts, default=0)) - self.slots + 1
        return [cells for number, cells in counts.items() if number >= first]

    def total(self, counts: Counts, at_ms: int) -> list[int]:
        """Each cell summed over ``live``."""
        live = self.live(counts, at_ms)
        return [sum(cells[i] for cells in live) for i in range(self.cells)]


def add(cells: list[int], cell: int, amount: int = 1) -> None:
    """Add to one cell, which stops at ``MOST``."""
    cells[cell] = min(MOST, cells[cell] + max(0, amount))
