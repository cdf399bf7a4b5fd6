"""
Counts of mails and octets over sliding windows of packet time, in few octets of memory.

A count is a log of slots, oldest first: when the slot begins, how many mails, how many octets. Mail opens slots of five
minutes, and only where there is mail is there a slot. As slots age their beginnings are rounded down, first to the
hour, then to six hours, and those that then begin alike are merged; what has left the longest window is kept as a sum.

A window is made of steps: 12 of five minutes, 24 of an hour, 28 of six hours. It ends with the five minutes that hold
the time it is asked for, and begins where the step of that time began, less all steps but that one. So it is never
longer than its name and at most one step shorter. Slots of any age are rounded to no more than the step of the windows
that still reach them: none ever lies across an edge, and what has been merged changes memory but no answer.

Mail may come in any order. What is late goes to its own slot, or, where the longest window has passed it by, only to
the sum. Answers are exact for any time up to ``LATENESS_MS`` before the newest mail counted; for an earlier time they
come from what is still told apart. Times are milliseconds since the epoch, and steps are aligned to it.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple, Self

SLOT_MS = 300_000
"""The finest step: five minutes."""

LATENESS_MS = 3_600_000
"""How far before its newest mail a count still answers exactly. Sessions end, and captures interleave, within it."""

MAX_OCTETS = 1 << 40
"""A mail counts at most that many octets, far beyond any server's limit: so that sums can't overflow 63 bits."""

# A slot is two words: its number and its mails in the first, so that both are compared and counted at once.
_SHIFT = 32
_ONE_SLOT = 1 << _SHIFT
_MAILS = _ONE_SLOT - 1
_SUM = (1 << 62) - 1
_LAST_MS = 10_000 * 366 * 24 * 3_600_000
_LAST_SLOT = _LAST_MS // SLOT_MS + 1

# Before the slots: how long the log may grow before it is folded; the newest slot when it last was, which tells how far
# slots are rounded; and the mails and octets that left the windows.
_HEADER = 4
_FOLD_AT, _FOLDED, _LEFT_MAILS, _LEFT_OCTETS = range(_HEADER)
_LEAST_GROWTH = 48

_LATE = LATENESS_MS // SLOT_MS
_HOUR, _SIX_HOURS = 12, 72
_HOUR_MARK = _HOUR << _SHIFT

STEP_MARK = _SIX_HOURS << _SHIFT
"""Divides the mark of a slot into the number of the six hours that hold it."""

MAX_SLOTS = 160
"""More than a log ever holds: after folding no more than 80 slots are left, and half as many may join them."""


class Window(NamedTuple):
    """A sliding window: so many steps of so many slots each."""

    name: str
    steps: int
    slots: int

    def first_slot(self, slot: int) -> int:
        """Number of the first slot of the window that ends with *slot*."""
        return (slot // self.slots - self.steps + 1) * self.slots


HOUR = Window("1h", 12, 1)
DAY = Window("24h", 24, _HOUR)
WEEK = Window("7d", 28, _SIX_HOURS)
WINDOWS = (HOUR, DAY, WEEK)


class Count(NamedTuple):
    """Mails, and the octets they had."""

    mails: int
    octets: int

    def __add__(self, other: object) -> Count:
        if not isinstance(other, Count):
            return NotImplemented
        return Count(self.mails + other.mails, self.octets + other.octets)


NOTHING = Count(0, 0)


def within_time(at_ms: int) -> int:
    """A time, or the end of the twenty thousand years around 1970 that it lies beyond."""
    return max(-_LAST_MS, min(_LAST_MS, at_ms))


def slot_of(at_ms: int) -> int:
    """Number of the slot that holds a time."""
    return within_time(at_ms) // SLOT_MS


def mark_of(at_ms: int) -> int:
    """The slot that holds a time, as ``WindowedCount`` takes it: shifted once for all counts of a mail."""
    return (at_ms if -_LAST_MS < at_ms < _LAST_MS else within_time(at_ms)) // SLOT_MS << _SHIFT


class WindowedCount(array):  # type: ignore[type-arg]  # array can't be subscripted at run time before Python 3.12
    """
    Mails and octets over ``WINDOWS`` and in all. Holds 16 octets a slot, at most ``MAX_SLOTS``; made by ``starting``.

    Everything takes constant time but folding, which takes a few slots' time for each slot that was opened.
    """

    __slots__ = ()

    @classmethod
    def starting(cls, mark: int, octets: int) -> Self:
        """A count with one mail."""
        return cls("q", (_HEADER + _LEAST_GROWTH, mark >> _SHIFT, 0, 0, mark | 1, octets))

    @property
    def newest_step(self) -> int:
        """Number of the six hours of the newest mail."""
        return int(self[-2]) // STEP_MARK

    def put(self, mark: int, octets: int) -> int | None:
        """
        Count a mail, whatever its time.

        Where it is the newest, and in other six hours than the newest before, the number of those; else none.
        """
        last = self[-2]
        if 0 <= last - mark < _MAILS:
            self[-2] = last + 1
            self[-1] += octets
            return None
        if mark < last:
            self._put_late(mark, octets)
            return None
        self.append(mark | 1)
        self.append(octets)
        if len(self) >= self[_FOLD_AT]:
            self._fold()
        before = last // STEP_MARK
        return None if before == mark // STEP_MARK else before

    def take_back(self, mark: int, octets: int) -> None:
        """Take back a mail that was counted at that time."""
        begin = self._rounded(mark)
        at = self._position(begin)
        if at == len(self) or self[at] >> _SHIFT != begin >> _SHIFT:
            self._leave(-1, -octets)
        elif self[at] & _MAILS:
            self[at] -= 1
            self[at + 1] = max(0, self[at + 1] - octets)

    def within(self, window: Window, at_ms: int) -> Count:
        """What was counted in the window that ends at a time."""
        slot = slot_of(at_ms)
        first, behind = window.first_slot(slot) << _SHIFT, (slot + 1) << _SHIFT
        mails = octets = 0
        for at in range(len(self) - 2, _HEADER - 1, -2):
            word = self[at]
            if word < first:
                break
            if word < behind:
                mails += word & _MAILS
                octets += self[at + 1]
        return Count(mails, octets)

    @property
    def total(self) -> Count:
        """What was counted in all."""
        mails = sum(word & _MAILS for word in self[_HEADER::2])
        return Count(self[_LEFT_MAILS] + mails, self[_LEFT_OCTETS] + sum(self[_HEADER + 1 :: 2]))

    def _position(self, mark: int) -> int:
        """Index of the first slot that does not begin before *mark*."""
        return _HEADER + 2 * bisect_left(self[_HEADER::2], mark)

    def _rounded(self, mark: int) -> int:
        """Where the slot now begins that *mark* belongs to."""
        slot, folded = mark >> _SHIFT, self[_FOLDED]
        if slot >= _fine_from(folded):
            return mark
        return mark - mark % (_HOUR_MARK if slot >= _hourly_from(folded) else STEP_MARK)

    def _put_late(self, mark: int, octets: int) -> None:
        begin = self._rounded(mark)
        at = self._position(begin)
        if mark >> _SHIFT < _held_from(self[_FOLDED]):
            self._leave(1, octets)
        elif self[at] >> _SHIFT != begin >> _SHIFT:
            self[at:at] = array("q", (begin | 1, octets))
            if len(self) >= self[_FOLD_AT]:
                self._fold()
        elif self[at] & _MAILS < _MAILS:
            self[at] += 1
            self[at + 1] += octets
        else:
            self._leave(1, octets)

    def _leave(self, mails: int, octets: int) -> None:
        self[_LEFT_MAILS] = max(0, min(_SUM, self[_LEFT_MAILS] + mails))
        self[_LEFT_OCTETS] = max(0, min(_SUM, self[_LEFT_OCTETS] + octets))

    def _fold(self) -> None:
        """Round the slots that have aged since it was last done, and sum up those that no window needs any more."""
        before, newest = self[_FOLDED], self[-2] >> _SHIFT
        words, octets = self[_HEADER::2], self[_HEADER + 1 :: 2]
        _merge(words, octets, _fine_from(before), _fine_from(newest), _HOUR_MARK)
        _merge(words, octets, _hourly_from(before), _hourly_from(newest), STEP_MARK)
        gone = bisect_left(words, _held_from(newest) << _SHIFT)
        if gone:
            self._leave(sum(word & _MAILS for word in words[:gone]), sum(octets[:gone]))
        kept = 2 * (len(words) - gone)
        del self[_HEADER + kept :]
        self[_HEADER::2], self[_HEADER + 1 :: 2] = words[gone:], octets[gone:]
        self[_FOLDED] = newest
        # In proportion to what is left, so that folding costs each new slot the same.
        self[_FOLD_AT] = len(self) + max(_LEAST_GROWTH, kept // 4 * 2)

    def to_octets(self) -> bytes:
        """What ``from_octets`` makes the count from again: words of eight octets, lowest first."""
        return _lowest_first(self[_FOLDED:]).tobytes()

    @classmethod
    def from_octets(cls, octets: bytes) -> Self:
        """The count that was written so. Raises ``ValueError`` for octets that no count would be."""
        slots, rest = divmod(len(octets) - 8 * (_HEADER - 1), 16)
        if rest or not 1 <= slots <= MAX_SLOTS:
            raise ValueError(f"{len(octets)} octets are no log of slots")
        count = cls("q", (0,))
        count.extend(_lowest_first(array("q", octets)))
        count._check()
        count[_FOLD_AT] = len(count) + _LEAST_GROWTH
        return count

    def _check(self) -> None:
        """Raise ``ValueError`` unless slots are in order, and sums ones that mail can make."""
        slots = [word >> _SHIFT for word in self[_HEADER::2]]
        if any(later <= earlier for earlier, later in pairwise(slots)):
            raise ValueError("slots out of order")
        if max(map(abs, (slots[0], slots[-1], self[_FOLDED]))) > _LAST_SLOT or self[_FOLDED] > slots[-1]:
            raise ValueError("a slot beyond all time")
        if any(not 0 <= sum_ <= _SUM for sum_ in (*self[_LEFT_MAILS:_HEADER], *self[_HEADER + 1 :: 2])):
            raise ValueError("a sum that no mail makes")


def _lowest_first(words: array[int]) -> array[int]:
    """Words as they are written, on any machine; its own inverse."""
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _merge(words: array[int], octets: array[int], first: int, behind: int, step: int) -> None:
    """Round the slots from *first* to before *behind* down to *step*, and join those that then begin alike."""
    low, high = bisect_left(words, first << _SHIFT), bisect_left(words, behind << _SHIFT)
    if low == high:
        return
    # The one before may have been rounded to where these begin.
    low = max(0, low - 1)
    merged: list[int] = []
    sums: list[int] = []
    last = None
    for word, size in zip(words[low:high], octets[low:high], strict=True):
        begin = word // step
        if begin == last:
            merged[-1] += word & _MAILS
            sums[-1] = min(sums[-1] + size, _SUM)
        else:
            merged.append(begin * step | word & _MAILS)
            sums.append(size)
            last = begin
    words[low:high], octets[low:high] = array("q", merged), array("q", sums)


def _fine_from(newest: int) -> int:
    """The first slot that is not rounded: an hour's window within the lateness before *newest* begins there."""
    return HOUR.first_slot(newest - _LATE)


def _hourly_from(newest: int) -> int:
    """The first slot that is rounded to no more than an hour."""
    return DAY.first_slot(newest - _LATE)


def _held_from(newest: int) -> int:
    """The first slot that a window ending within the lateness before *newest* reaches."""
    return WEEK.first_slot(newest - _LATE)
