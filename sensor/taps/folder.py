"""
Capture files as they come: a list read once, or a folder that finished captures are put into.

Files found together are read together, so that flows go on from one rotated file into the next. Behind their last
batch comes an ``EndOfCaptures``: what was counted up to there is whole, and may be saved.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from sensor.model import Event, InterestSpec, TapName, TlsSession, Transaction
from sensor.tally import Tally, tally
from sensor.taps.base import Batch, DamageView, TapError
from sensor.taps.capture import CaptureTap, transaction_types
from sensor.taps.files import Found, find_captures

LOOK_EVERY_S = 1.0
"""How often a folder is looked at."""

DAMAGE_REMEMBERED = 1_000
"""Damaged places that are kept, the latest; ``damaged`` counts all."""


class EndOfCaptures:
    """An empty batch behind the last one of the captures at *paths*."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Event]:
        return iter(())

    def tally(self, *, classify_all: bool) -> Tally:
        transaction_type, session_type = transaction_types()
        return tally((), transaction_type=transaction_type, session_type=session_type, classify_all=classify_all)

    def to_json_lines(
        self, forwardings: Mapping[int, bytes], default_forwarding: bytes, *, sensor: str, tap: str
    ) -> bytes:
        return b""


class CapturesTap:
    """
    Reads the captures that *paths* name: once, or, where *watches*, those in the folders among them as they come.

    A file in a watched folder is read when nobody has written to it for *settle_s* seconds; one that is moved there is
    read at once if it is old enough. *begun* holds the paths that were begun before, and takes those that are begun:
    they are not read again, since a file that another tap was reading when it died was counted in part. *is_counted*
    says which captures were counted before; they are passed over.

    Raises ``TapError`` where a path does not exist.
    """

    def __init__(
        self,
        paths: Sequence[str],
        interest: InterestSpec,
        *,
        begun: set[str] | None = None,
        watches: bool = False,
        settle_s: float = 10.0,
        is_counted: Callable[[str], bool] | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._paths, self._interest, self._limits = list(paths), interest, limits
        self._watches, self._settle_s, self._is_counted = watches, settle_s, is_counted
        self._begun = set() if begun is None else begun
        self._stopping = threading.Event()
        self._current: CaptureTap | None = None
        self._counters: Counter[str] = Counter()
        self._anomalies: Counter[str] = Counter()
        self._damage: deque[DamageView] = deque(maxlen=DAMAGE_REMEMBERED)
        self.damaged = 0
        self._types = transaction_types()
        for path in paths:
            if path != "-" and not os.path.exists(path):
                raise TapError(f"{path}: no such file or directory")
            if watches and not os.path.isdir(path):
                raise TapError(f"{path}: is no folder")

    @property
    def name(self) -> TapName:
        return "pcap"

    @property
    def transaction_type(self) -> type[Transaction]:
        return self._types[0]

    @property
    def session_type(self) -> type[TlsSession]:
        return self._types[1]

    def batches(self) -> Iterator[Batch]:
        while not self._stopping.is_set():
            fresh = self._fresh()
            if fresh:
                yield from self._read_all(fresh)
            if not self._watches:
                return
            self._stopping.wait(LOOK_EVERY_S)

    def stop(self) -> None:
        self._stopping.set()
        current = self._current
        if current is not None:
            current.stop()

    def progress(self) -> tuple[int, int, str]:
        current = self._current
        return current.progress() if current is not None else (0, 0, "")

    def counters(self) -> Mapping[str, int]:
        current = self._current
        return self._counters if current is None else self._counters + Counter(current.counters())

    def anomalies(self) -> Mapping[str, int]:
        current = self._current
        return self._anomalies if current is None else self._anomalies + Counter(current.anomalies())

    def damage(self) -> Sequence[DamageView]:
        return tuple(self._damage)

    def _read_all(self, paths: Sequence[str]) -> Iterator[Batch]:
        tap = self._current = CaptureTap(paths, self._interest, limits=self._limits)
        if self._stopping.is_set():
            tap.stop()
        yield from tap.batches()
        self._counters += Counter(tap.counters())
        self._anomalies += Counter(tap.anomalies())
        self._damage += tap.damage()
        self.damaged += len(tap.damage())
        self._current = None
        if not self._stopping.is_set():
            # What was stopped in the middle was not counted whole.
            yield EndOfCaptures(paths)

    def _fresh(self) -> list[str]:
        """The captures that were not read yet, in their order."""
        fresh, found = [], self._found().paths
        if self._watches:
            # What was taken out of the folder is forgotten, so that years of captures take no memory.
            self._begun -= {path for path in self._begun if path.startswith(tuple(self._paths))}.difference(found)
        for path in found:
            if path in self._begun or (self._watches and not self._is_settled(path)):
                continue
            self._begun.add(path)
            if path == "-" or self._is_counted is None or not self._is_counted(path):
                fresh.append(path)
        return fresh

    def _found(self) -> Found:
        try:
            return find_captures(self._paths)
        except TapError:
            if self._watches:
                return Found()
            raise

    def _is_settled(self, path: str) -> bool:
        try:
            changed = os.stat(path)
        except OSError:
            return False
        # A time in the future is that of a clock that was set: no reason to wait until then.
        return not 0 <= time.time() - max(changed.st_mtime, 0) < self._settle_s
