"""
A worker: one tap read on a thread of its own, opened anew with a growing pause each time it dies.

What it reads goes into a bounded queue. Where the analysis is slower, the worker waits, and the tap sheds and counts as
it does by itself: memory never grows.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from sensor.errors import UserError
from sensor.log import Log
from sensor.taps.base import Batch, RightGoneError, Tap
from sensor.taps.folder import EndOfCaptures
from sensor.taps.mark import Mark

INBOX_BATCHES = 8
"""Batches between workers and analysis, of up to some thousand mails each: enough to bridge a save."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STEADY_S = 60.0
"""A tap that read this long is taken for well: its next death begins with the short pause again."""

_TURN_S = 0.2


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch with the worker and the tap that it came from."""

    worker: str
    tap: Tap
    batch: Batch


Inbox = queue.Queue[Parcel]


@dataclass(slots=True)
class Totals:
    """Counts of a worker's taps, the dead ones included: they only grow."""

    counters: dict[str, int] = field(default_factory=dict)
    anomalies: dict[str, int] = field(default_factory=dict)
    interfaces: dict[tuple[str, str], int] = field(default_factory=dict)
    damage: int = 0
    verdicts: dict[tuple[str, str, bool], int] = field(default_factory=dict)

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            _sum(self.counters, other.counters),
            _sum(self.anomalies, other.anomalies),
            _sum(self.interfaces, other.interfaces),
            self.damage + other.damage,
            _sum(self.verdicts, other.verdicts),
        )


def totals_of(tap: Tap) -> Totals:
    """What one tap counted."""
    damaged: int = getattr(tap, "damaged", 0)  # of taps that read captures
    return Totals(dict(tap.counters()), dict(tap.anomalies()), interface_counts(tap), damaged, verdict_counts(tap))


def verdict_counts(tap: Tap) -> dict[tuple[str, str, bool], int]:
    """By action, rule and whether it was only said, the verdicts of a tap that judges mail; nothing of other taps."""
    told = getattr(tap, "verdicts", None)
    return dict(told()) if callable(told) else {}


def interface_counts(tap: Tap) -> dict[tuple[str, str], int]:
    """By name and count, what a tap that captures interfaces says of each; nothing of other taps."""
    told = getattr(tap, "interfaces", None)
    statuses = told() if callable(told) else ()
    counts = ("frames", "octets", "dropped", "freezes", "outages")
    return {(each.name, count): getattr(each, count) for each in statuses for count in counts}


def unread_interfaces(tap: Tap | None) -> tuple[str, ...]:
    """A text for each interface that is not captured now, with the reason if one is known; nothing of other taps."""
    told = getattr(tap, "interfaces", None)
    lacking = (each for each in (told() if callable(told) else ()) if each.state != "up")
    return tuple(each.problem or f"{each.name} is {each.state}" for each in lacking)


class Worker:
    """
    Reads the tap that *open_tap* gives, again and again where it *goes_on*, into *inbox*, until ``stop``.

    *before* is the worker whose place it takes: its counts go on. ``restarts`` counts how often it died. ``is_up``
    while it reads, or, where it does not go on, has read to the end. ``is_live``: its taps show mail when it passes.
    """

    def __init__(
        self,
        name: str,
        open_tap: Callable[[], Tap],
        inbox: Inbox,
        *,
        goes_on: bool,
        log: Log,
        is_live: bool = True,
        before: Worker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.goes_on = goes_on
        self.is_live = is_live
        self.restarts: int = 0 if before is None else before.restarts
        self.problem: str | None = None
        self.has_ended = False
        # It died, and what it reads can't be opened any more with the rights that are left.
        self.is_stranded = False
        self._open_tap, self._inbox, self._log, self._clock = open_tap, inbox, log, clock
        # Opened here, so that a wrong interface or file is an error of whoever starts the sensor.
        self._tap: Tap | None = open_tap()
        self._past = Totals()
        self._before = before
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"worker-{name}", daemon=True)

    @property
    def is_up(self) -> bool:
        return self.problem is None and not (self.has_ended and self.goes_on)

    def problems(self) -> tuple[str, ...]:
        """What is not read now, a text each. An interface that is away leaves a worker up that waits for it."""
        return unread_interfaces(self._tap) if self.is_up else (self.problem or "has ended",)

    @property
    def is_alive(self) -> bool:
        """True until its thread has put its last batch into the inbox."""
        return self._thread.is_alive()

    @property
    def tap(self) -> Tap | None:
        """The tap that is open now."""
        return self._tap

    def take_over(self) -> None:
        """
        Let clients find its tap in the place of another's, before that goes and it starts: nobody is to meet a closed
        port. What can't be opened now is told when it has started.
        """
        opened = getattr(self._tap, "take_over", None)
        if callable(opened):
            with suppress(UserError):
                opened()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what was read so far, and end. May be called from any thread, and more than once."""
        self._stopping.set()
        tap = self._tap
        if tap is not None:
            tap.stop()

    def discard(self) -> None:
        """It is not started after all: what its tap opened is let go, so that nobody is kept waiting at its address."""
        tap = self._tap
        if tap is not None:
            discard = getattr(tap, "discard", tap.stop)
            discard()
            self._tap = None

    def abandon(self) -> None:
        """Nobody takes batches any more: end without waiting for a place in the inbox."""
        self._inbox = queue.Queue()
        self.stop()

    def totals(self) -> Totals:
        """What all its taps counted so far."""
        before = self._before
        if before is not None:
            inherited = before.totals()
            if not before.is_alive:
                # It counts no more: what it came to is kept, and it is let go.
                with self._lock:
                    self._past += before.totals()
                    self._before = None
                inherited = Totals()
        else:
            inherited = Totals()
        with self._lock:
            own = self._past if self._tap is None else self._past + totals_of(self._tap)
        return inherited + own

    # ---- on the thread

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = self._clock()
            why = self._read_once()
            self._settle()
            if self._stopping.is_set() or (why is None and not self.goes_on):
                break
            if self._clock() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            self.restarts += 1
            self.problem = why or "it ended by itself"
            self._log.error("worker_died", worker=self.name, why=self.problem, restarts=self.restarts, pause_s=pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self.has_ended = True

    def _read_once(self) -> str | None:
        """Read one tap to its end; none if it came to one, else why it died."""
        tap = self._tap
        try:
            if tap is None:
                tap = self._open_tap()
                with self._lock:
                    self._tap = tap
            self.problem, self.is_stranded = None, False
            if self._stopping.is_set():
                tap.stop()
            for batch in tap.batches():
                self._hand_over(Parcel(self.name, tap, batch))
        except Exception as error:  # noqa: BLE001 - whatever ends a tap is told, and the tap is opened anew
            if tap is not None:
                # A capture that it was reading will not be gone on with: nothing has to wait for its end.
                self._hand_over(Parcel(self.name, tap, EndOfCaptures(())))
            self.is_stranded = isinstance(error, RightGoneError)
            return f"{type(error).__name__}: {error}"
        return None

    def _hand_over(self, parcel: Parcel) -> None:
        """Wait for a place. Empty batches need none, but for those that say something by themselves."""
        while len(parcel.batch) or isinstance(parcel.batch, Mark):
            try:
                self._inbox.put(parcel, timeout=_TURN_S)
            except queue.Full:
                continue
            return

    def _settle(self) -> None:
        """The tap is done: its counts are kept and it is let go."""
        with self._lock:
            if self._tap is not None:
                self._past, self._tap = self._past + totals_of(self._tap), None


K = TypeVar("K")


def _sum(ours: Mapping[K, int], theirs: Mapping[K, int]) -> dict[K, int]:
    return {name: ours.get(name, 0) + theirs.get(name, 0) for name in (*ours, *(theirs.keys() - ours.keys()))}
