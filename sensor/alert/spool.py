r"""
The spool: what is owed to one sink, on disk, until the sink has it.

Every record is written here before it is delivered, so neither a sink that fails nor a kill -9 loses an alert. What
may have been delivered before, because the end came between delivery and its note, is delivered again and marked.

The file is append-only. After eight octets of magic come entries:

    mark F5 4D 53 45 | kind 1 | number 8 | length 4 | CRC-32 4 | payload      (big-endian; CRC of all but mark and CRC)

kind A adds a record, kind T says that all up to *number* are being tried, kind K that all up to it are delivered. A
torn tail is cut off; damage further in is passed over to the next entry whose CRC holds, and counted in octets.

What the disk refuses is owed from memory, within the same bound, and written as soon as the disk takes it: only an end
of the process before that loses it.

At its bound the spool first drops what is out of date: an alert is told whole each time, so of one alert only the
latest record matters. If that does not help, the new record is refused, and the caller told. Dropping the oldest
instead would let an intruder wash the first alert of an intrusion away with a flood of later ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NoReturn

import msgspec

from sensor.alert.record import AlertRecord, read_alert, to_line
from sensor.durable import sync_folder
from sensor.errors import UserError

MAGIC = b"MSSPOOL1"
_MARK = b"\xf5MSE"
_HEAD = struct.Struct(">4scQII")
_ADDED, _TRIED, _KEPT = b"A", b"T", b"K"

MAX_RECORD_OCTETS = 4 * 1024 * 1024
"""An alert record takes some 10 kB, at its own bounds some hundred; a length beyond this is damage."""

TIDY_OCTETS = 64 * 1024
"""
A spool that owes nothing is cut back to nothing once it is larger than this, and where it is opened or closed: what was
delivered is not to lie about. Before, cutting would cost more than it gives.
"""


class SpoolError(UserError):
    """The spool can't be used; the message says what the caller must put right."""


class SpoolFullError(SpoolError):
    """A record was refused: the spool is at its bound, and all that it holds is still owed and up to date."""


@dataclass(frozen=True, slots=True)
class Owed:
    """One record that the sink does not have yet; ``maybe_delivered`` if an end came between delivery and its note."""

    number: int
    record: AlertRecord
    maybe_delivered: bool


@dataclass(slots=True)
class SpoolCounters:
    """Plain counts. ``refused`` records are lost to this sink, ``outdated`` ones were replaced by a later telling."""

    added: int = 0
    delivered: int = 0
    refused: int = 0
    outdated: int = 0
    damaged_octets: int = 0


@dataclass(slots=True)
class _Found:
    """What reading a spool found."""

    records: dict[int, AlertRecord] = field(default_factory=dict)
    tried: int = 0
    kept: int = 0
    last: int = 0
    whole_octets: int = len(MAGIC)
    damaged_octets: int = 0


class Spool:
    """
    The spool at *path*, of at most *max_octets*. One process at a time; a second one gets ``SpoolError``.

    With *sync* a record is on the disk when ``add`` returns, at the price of a disk's answer for each; without, a loss
    of power (not of the process) may take the last seconds along. Raises ``SpoolError`` when it can't be opened.
    """

    def __init__(self, path: str, *, max_octets: int, sync: bool = True) -> None:
        self.path = path
        self.counters = SpoolCounters()
        self._max_octets = max_octets
        self._sync = sync
        # Records by number, as lines, that the disk refused.
        self._unwritten: dict[int, bytes] = {}
        self._unwritten_octets = 0
        # False where the disk refused the note of what was delivered.
        self._is_noted = True
        self._file = _open_locked(path)
        try:
            self._take_found(_read(self._file, path))
        except BaseException:
            os.close(self._file)
            raise

    def _take_found(self, found: _Found) -> None:
        self.counters.damaged_octets = found.damaged_octets
        os.ftruncate(self._file, found.whole_octets)
        os.lseek(self._file, found.whole_octets, os.SEEK_SET)
        self._octets = found.whole_octets
        self._number = found.last
        self._tried = found.tried
        # Those tried before this process began may have arrived; what it tries itself it is told about.
        self._doubtful = {number for number in found.records if found.kept < number <= found.tried}
        self._owed = {number: record for number, record in sorted(found.records.items()) if number > found.kept}
        self._cut_back()

    def __len__(self) -> int:
        return len(self._owed)

    @property
    def octets(self) -> int:
        """The size of the file."""
        return self._octets

    @property
    def unkept(self) -> int:
        """Records that are owed and would be lost with the process."""
        return len(self._unwritten)

    def add(self, record: AlertRecord, *, flush: bool = True) -> None:
        """
        Owe *record* to the sink. Raises ``SpoolFullError`` where it is refused, and ``OSError`` where it could not be
        written: then it is owed all the same, and written later.

        Without *flush* it is not on the disk before ``flush`` is called: one wait for many records.
        """
        payload = to_line(record)
        number = self._number + 1
        if len(payload) > MAX_RECORD_OCTETS:
            self._refuse(record)
        if self._octets + self._unwritten_octets + _HEAD.size + len(payload) > self._max_octets:
            self._add_by_compacting(number, record)
        else:
            self._owed[number] = record
            self._unwritten[number] = payload
            self._unwritten_octets += _HEAD.size + len(payload)
        self._number = number
        self.counters.added += 1
        self._write(sync=self._sync and flush)

    def flush(self) -> None:
        """Have on the disk what was added. Raises ``OSError``."""
        if self._sync:
            os.fsync(self._file)

    def owed(self, most: int) -> tuple[Owed, ...]:
        """The *most* oldest records that are owed, in the order they were added."""
        first = islice(self._owed.items(), most)
        return tuple(Owed(number, record, number in self._doubtful) for number, record in first)

    def trying(self, batch: Sequence[Owed]) -> None:
        """Note that *batch* is about to be delivered. Raises ``OSError``."""
        self._write(sync=self._sync)
        last = max((each.number for each in batch), default=0)
        if last > self._tried:
            self._append(_TRIED, last, b"", sync=False)
            self._tried = last

    def settle(self, batch: Sequence[Owed], count: int, unsure: int) -> None:
        """
        Note that the first *count* of *batch* are delivered and the next *unsure* may be. Raises ``OSError``.

        Where the disk refuses the note, this process knows all the same; the next one delivers again, marked.
        """
        for each in batch[:count]:
            self._forget(each.number)
        self._doubtful.update(each.number for each in batch[count : count + unsure])
        self.counters.delivered += count
        if count:
            self._note_kept()

    def drop(self, owed: Owed) -> None:
        """Owe *owed* no more, though it was not delivered. Raises ``OSError``."""
        self._forget(owed.number)
        self._note_kept()

    def close(self) -> None:
        """Let the spool go. What is owed stays, but for what the disk refuses to the end: ``unkept`` counts that."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self._write(sync=self._sync)
            self._cut_back()
            os.close(self._file)
            self._file = -1

    def _cut_back(self) -> None:
        """Where nothing is owed, keep nothing of what was delivered; a disk that refuses that costs nothing."""
        nothing = self._whole({})
        if not self._owed and self._octets > len(nothing):
            with contextlib.suppress(OSError):
                self._rewrite(nothing)

    def _note_kept(self) -> None:
        self._is_noted = False
        if not self._owed and self._octets > TIDY_OCTETS:
            self._rewrite(self._whole({}))
        else:
            self._append(_KEPT, next(iter(self._owed), self._number + 1) - 1, b"", sync=False)
        self._is_noted = True

    def _write(self, *, sync: bool) -> None:
        """Write what was not written yet, in its order. Raises ``OSError``; what is left then is tried again."""
        for number, payload in tuple(self._unwritten.items()):
            self._append(_ADDED, number, payload, sync=sync)
            self._is_written(number)
        if not self._is_noted:
            self._note_kept()

    def _is_written(self, number: int) -> None:
        payload = self._unwritten.pop(number, None)
        if payload is not None:
            self._unwritten_octets -= _HEAD.size + len(payload)

    def _forget(self, number: int) -> None:
        """It is owed no more, written or not."""
        self._owed.pop(number, None)
        self._doubtful.discard(number)
        self._is_written(number)

    def _append(self, kind: bytes, number: int, payload: bytes, *, sync: bool) -> None:
        entry = _entry(kind, number, payload)
        try:
            _write_all(self._file, entry)
            if sync:
                os.fsync(self._file)
        except OSError:
            # Half an entry would be passed over as damage, but it would also cost its room.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._octets)
                os.lseek(self._file, self._octets, os.SEEK_SET)
            raise
        self._octets += len(entry)

    def _refuse(self, record: AlertRecord) -> NoReturn:
        self.counters.refused += 1
        raise SpoolFullError(f"{self.path}: full at {self._octets:,} octets, alert {record.id} is not kept")

    def _add_by_compacting(self, number: int, record: AlertRecord) -> None:
        """Add *record* and keep of each alert the latest record alone, in one step; refuse it if that is too much."""
        everything = {**self._owed, number: record}
        latest = {each.id: each_number for each_number, each in everything.items()}
        owed = {each_number: each for each_number, each in everything.items() if latest[each.id] == each_number}
        content = self._whole(owed)
        if len(content) > self._max_octets:
            self._refuse(record)
        try:
            self._rewrite(content)
        except OSError:
            # No room on the disk, nor in memory for what should be there.
            self._refuse(record)
        for each_number in tuple(self._unwritten):
            self._is_written(each_number)
        self.counters.outdated += len(everything) - len(owed)
        self._owed = owed
        self._doubtful &= owed.keys()

    def _whole(self, owed: Mapping[int, AlertRecord]) -> bytes:
        """A spool that owes *owed*, as octets."""
        entries = [_entry(_ADDED, number, to_line(record)) for number, record in owed.items()]
        entries.append(_entry(_KEPT, next(iter(owed), self._number + 1) - 1, b""))
        entries.append(_entry(_TRIED, self._tried, b""))
        return MAGIC + b"".join(entries)

    def _rewrite(self, content: bytes) -> None:
        """
        Put *content* in the place of the file, by a second file, so that an end at any moment leaves one of them whole.
        """
        beside = f"{self.path}.new"
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_all(file, content)
            os.fsync(file)
            os.replace(beside, self.path)
        except OSError:
            os.close(file)
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        os.close(self._file)
        self._file = file
        self._octets = len(content)
        # Last: where the disk refuses it, what is added from here on goes into the file that has the name all the same.
        sync_folder(self.path)


def _open_locked(path: str) -> int:
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolError(f"{path}: the spool can't be opened: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        taken = isinstance(error, BlockingIOError)
        why = "another process uses this spool" if taken else f"the spool can't be locked: {error.strerror}"
        raise SpoolError(f"{path}: {why}") from None
    return file


def _read(file: int, path: str) -> _Found:
    """Every entry of the open *file* whose CRC holds. Raises ``SpoolError`` for a file that is none of ours."""
    with os.fdopen(os.dup(file), "rb") as reader:
        content = reader.read()
    if not content.startswith(MAGIC):
        if not MAGIC.startswith(content[: len(MAGIC)]):
            raise SpoolError(f"{path}: is no spool of ours, and is left as it is; give another path")
        # Empty, or the end came while it was made.
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        _write_all(file, MAGIC)
        return _Found()
    found = _Found()
    for kind, number, payload, start, end in _entries(content):
        found.damaged_octets += start - found.whole_octets
        found.whole_octets = end
        found.last = max(found.last, number)
        _take(found, kind, number, payload)
    found.damaged_octets += len(content) - found.whole_octets
    return found


def _take(found: _Found, kind: bytes, number: int, payload: bytes) -> None:
    if kind == _TRIED:
        found.tried = max(found.tried, number)
    elif kind == _KEPT:
        found.kept = max(found.kept, number)
    else:
        try:
            found.records[number] = read_alert(payload)
        except msgspec.DecodeError:
            # Whole on disk, and not a record of this version: it can't be delivered, so it is damage to us.
            found.damaged_octets += len(payload)


def _entries(content: bytes) -> Iterator[tuple[bytes, int, bytes, int, int]]:
    """Kind, number, payload, begin and end of each entry whose CRC holds, wherever it stands."""
    at = len(MAGIC)
    while (at := content.find(_MARK, at)) >= 0:
        if at + _HEAD.size > len(content):
            return
        _, kind, number, length, crc = _HEAD.unpack_from(content, at)
        begin, end = at + _HEAD.size, at + _HEAD.size + length
        whole = length <= MAX_RECORD_OCTETS and end <= len(content) and kind in (_ADDED, _TRIED, _KEPT)
        if whole and _crc(kind, number, content[begin:end]) == crc:
            yield kind, number, content[begin:end], at, end
            at = end
        else:
            at += 1


def _entry(kind: bytes, number: int, payload: bytes) -> bytes:
    return _HEAD.pack(_MARK, kind, number, len(payload), _crc(kind, number, payload)) + payload


def _crc(kind: bytes, number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(kind + number.to_bytes(8, "big") + len(payload).to_bytes(4, "big")))


def _write_all(file: int, octets: bytes) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(file, rest) :]
