"""When a mailbox forwarded: a few buckets of time, which widen so that they always reach from the first to the last."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

FIRST_WIDTH_MS = 3_600_000
MAX_BUCKETS = 64
"""Bars that a picture of a time line shows well: 64 hours at first, and each doubling twice as long."""

_WORDS = 5


class Bucket(NamedTuple):
    """Forwards by cell from ``start_ms`` on, for the width of the time line."""

    start_ms: int
    auto_only: int
    auto_visible: int
    visible_only: int
    paired: int


class Timeline:
    """
    Forwards by cell in buckets of ``width_ms``, aligned to the epoch; those without a forward are left out.

    Holds ``MAX_BUCKETS``: one more, and the width doubles until they fit.
    """

    __slots__ = ("_words", "width_ms")

    def __init__(self, buckets: array[int] | None = None, width_ms: int = FIRST_WIDTH_MS) -> None:
        self.width_ms = width_ms
        self._words = array("q") if buckets is None else buckets

    def __len__(self) -> int:
        return len(self._words) // _WORDS

    def __iter__(self) -> Iterator[Bucket]:
        for at in range(0, len(self._words), _WORDS):
            yield Bucket(*self._words[at : at + _WORDS])

    def add(self, at_ms: int, cell: int, mails: int = 1) -> None:
        """Count *mails* in the cell of that number; fewer than none take back what was counted."""
        start = at_ms - at_ms % self.width_ms
        at = _WORDS * bisect_left(range(len(self)), start, key=lambda number: self._words[_WORDS * number])
        if at == len(self._words) or self._words[at] != start:
            self._words[at:at] = array("q", (start, 0, 0, 0, 0))
        self._words[at + 1 + cell] = max(0, self._words[at + 1 + cell] + mails)
        while len(self) > MAX_BUCKETS:
            self._widen()

    def _widen(self) -> None:
        self.width_ms *= 2
        widened = array("q")
        for start, *cells in self:
            wider = start - start % self.width_ms
            if widened and widened[-_WORDS] == wider:
                for cell, mails in enumerate(cells):
                    widened[cell - _WORDS + 1] += mails
            else:
                widened.extend((wider, *cells))
        self._words = widened
