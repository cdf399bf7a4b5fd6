"""
Capture files as they come: a list read once, or a folder that finished captures are put into.

Files found together are read together, so that flows go on from one rotated file into the next. Before their first
batch comes a ``StartOfCaptures``, behind their last one an ``EndOfCaptures``: what was counted up to there is whole,
and may be saved. What is saved between has to know how far the reading was, so that it can be gone on with.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from sensor.model import Event, InterestSpec, TapName
from sensor.tally import Tally, tally
from sensor.taps.base import Batch, DamageView, TapError
from sensor.taps.capture import CaptureTap, CoreEvents, transaction_types
from sensor.taps.files import STDIN, Found, find_captures

LOOK_EVERY_S = 1.0
"""How often a folder is looked at."""

DAMAGE_REMEMBERED = 1_000
"""Damaged places that are kept, the latest; ``damaged`` counts all."""


class _Mark:
    """An empty batch that says something of those before and behind it."""

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


class StartOfCaptures(_Mark):
    """Stands before the first batch of captures that are read together, of which *reading* was taken before."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading


class EndOfCaptures(_Mark):
    """Stands behind the last batch of the captures at *paths*."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """
    How far captures were read that are read together: by what they are known again, and batches and events taken.

    The core gives the same events of the same files in the same order, so who knows how many were taken can go on.
    """

    captures: tuple[tuple[str, int, int], ...]
    batches: int = 0
    events: int = 0

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.captures]

    @property
    def can_be_resumed(self) -> bool:
        """False for standard input, which can't be read twice."""
        return STDIN not in self.paths

    def after(self, batch: Batch) -> Reading:
        """With one batch more."""
        return msgspec.structs.replace(self, batches=self.batches + 1, events=self.events + len(batch))


def reading_of(paths: Sequence[str]) -> Reading:
    """Captures of which nothing was read yet. Files are known again by name, size and time of their last change."""
    return Reading(captures=tuple((path, *_size_and_time(path)) for path in paths))


def _untaken(reading: Reading) -> Reading:
    return msgspec.structs.replace(reading, batches=0, events=0)


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        facts = os.stat(path)
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns


class CapturesTap(CoreEvents):
    """
    Reads the captures that *paths* name: once, or, where *watches*, those in the folders among them as they come.

    A file in a watched folder is read when nobody has written to it for *settle_s* seconds; one that is moved there is
    read at once if it is old enough. *begun* holds the paths that were begun before, and takes those that are begun:
    they are not read again, since a file that another tap was reading when it died was counted in part. *is_counted*
    says which captures were counted before; they are passed over. *resumes* is a reading that was broken off: if its
    captures are there as they were, they come first, without the events that were taken.

    Raises ``TapError`` where a path does not exist; ``batches`` does where a watched folder can't be read any more.
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
        resumes: Reading | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._paths, self._interest, self._limits = list(paths), interest, limits
        self._watches, self._settle_s, self._is_counted = watches, settle_s, is_counted
        self._begun = set() if begun is None else begun
        self._resumes = resumes
        self.events_lost = 0
        self._stopping = threading.Event()
        self._current: CaptureTap | None = None
        self._counters: Counter[str] = Counter()
        self._anomalies: Counter[str] = Counter()
        self._damage: deque[DamageView] = deque(maxlen=DAMAGE_REMEMBERED)
        self.damaged = 0
        for path in paths:
            setting = "capture.folder" if watches else "capture.files"
            if path != "-" and not os.path.exists(path):
                raise TapError(f"{setting}: {path}: no such file or directory")
            if watches and not os.path.isdir(path):
                raise TapError(f"{setting}: {path}: is no folder")

    @property
    def name(self) -> TapName:
        return "pcap"

    def batches(self) -> Iterator[Batch]:
        if self._resumes is not None and reading_of(self._resumes.paths) == _untaken(self._resumes):
            self._begun.update(self._resumes.paths)
            yield from self._read_all(self._resumes)
        while not self._stopping.is_set():
            fresh = self._fresh()
            if fresh:
                yield from self._read_all(reading_of(fresh))
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

    def _read_all(self, reading: Reading) -> Iterator[Batch]:
        paths = reading.paths
        tap = self._current = CaptureTap(paths, self._interest, limits=self._limits)
        if self._stopping.is_set():
            tap.stop()
        yield StartOfCaptures(reading)
        yield from self._untaken(tap.batches(), reading)
        self._counters += Counter(tap.counters())
        self._anomalies += Counter(tap.anomalies())
        self._damage += tap.damage()
        self.damaged += len(tap.damage())
        self._current = None
        if not self._stopping.is_set():
            # What was stopped in the middle was not counted whole.
            yield EndOfCaptures(paths)

    def _untaken(self, batches: Iterator[Batch], reading: Reading) -> Iterator[Batch]:
        """
        The batches behind those that were taken. Where another version of the core cuts them otherwise, the events of
        the one that was taken in part are lost rather than counted twice, and counted in ``events_lost``.
        """
        passed = 0
        for batch in batches:
            if passed < reading.events:
                passed += len(batch)
                self.events_lost += max(0, passed - reading.events)
            else:
                yield batch

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
        if self._watches:
            self._check_folders()
        try:
            return find_captures(self._paths)
        except TapError:
            if self._watches:
                return Found()
            raise

    def _check_folders(self) -> None:
        """A folder that is gone (unmounted, moved) is not to look like one that waits for captures."""
        for path in self._paths:
            try:
                os.scandir(path).close()
            except OSError as error:
                raise TapError(f"capture.folder: {path}: can't be read: {error.strerror}") from None

    def _is_settled(self, path: str) -> bool:
        try:
            changed = os.stat(path)
        except OSError:
            return False
        # A time in the future is that of a clock that was set: no reason to wait until then.
        return not 0 <= time.time() - max(changed.st_mtime, 0) < self._settle_s
