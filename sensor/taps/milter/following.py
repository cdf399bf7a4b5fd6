"""Reads a log as it grows, from one file into the next where it is rotated, and remembers how far it came."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

PIECE_OCTETS = 262_144
"""Read at once: some thousand lines, which take a few milliseconds to look at."""

MAX_LINE_OCTETS = 16_384
"""Of a longer line only this much is looked at. Postfix cuts its own at 2,000 octets (``line_length_limit``: 2,048)."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log was read: the file, by device and inode, and the octets of whole lines."""

    device: int
    inode: int
    offset: int


class Follower:
    """
    The lines of the log at *path* from *place* on; without a place, those written from now on.

    A log that was renamed is read to its end before the new one is begun; one that was cut short is read from its
    beginning. Where the file of *place* was renamed to ``.1`` in the meantime, it is read from there.
    """

    def __init__(self, path: str, place: Place | None = None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._offset = 0
        self._rest = b""
        self._skips = False
        self.is_behind = False
        if place is None:
            self._open(path, at_end=True)
        else:
            self._find(place)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def is_open(self) -> bool:
        """False while there is no log yet."""
        return self._file is not None

    def place(self) -> Place | None:
        """How far it came: up to the last whole line."""
        if self._file is None:
            return None
        found = os.fstat(self._file.fileno())
        return Place(found.st_dev, found.st_ino, self._offset - len(self._rest))

    def lines(self) -> list[bytes]:
        """
        The next lines, of ``PIECE_OCTETS`` at most. ``is_behind`` says whether there are more. Raises ``OSError``.
        """
        self.is_behind = False
        if self._file is None:
            self._open(self._path, at_end=False)
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._offset:
            self._begin(self._file, 0)
        octets = self._file.read(PIECE_OCTETS)
        self._offset += len(octets)
        lines = list(self._cut(octets))
        if octets:
            self.is_behind = True
        elif self._is_renamed():
            self._open(self._path, at_end=False)
            self.is_behind = self._file is not None
        return lines

    def _cut(self, octets: bytes) -> Iterator[bytes]:
        *whole, rest = (self._rest + octets).split(b"\n")
        for line in whole:
            if not self._skips:
                yield line
            self._skips = False
        if len(rest) > MAX_LINE_OCTETS:
            if not self._skips:
                yield rest[:MAX_LINE_OCTETS]
            self._skips, rest = True, b""
        self._rest = rest

    def _is_renamed(self) -> bool:
        """True if another file stands at the path now."""
        if self._file is None:
            return False
        own = os.fstat(self._file.fileno())
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return False  # renamed, and the new one is not there yet
        return (now.st_dev, now.st_ino) != (own.st_dev, own.st_ino)

    def _open(self, path: str, *, at_end: bool) -> None:
        self.close()
        try:
            self._file = open(path, "rb", buffering=0, opener=_open_file)  # noqa: SIM115 - closed by ``close``
        except FileNotFoundError:
            return  # it will be made by the first line
        self._begin(self._file, self._file.seek(0, os.SEEK_END) if at_end else 0)

    def _begin(self, file: BinaryIO, offset: int) -> None:
        self._offset, self._rest, self._skips = file.seek(offset), b"", False

    def _find(self, place: Place) -> None:
        """Open the file of *place* and go there; where it is gone, the log that there is, from its beginning."""
        for path in (self._path, f"{self._path}.1"):
            with suppress(FileNotFoundError):
                found = os.stat(path)
                if (found.st_dev, found.st_ino) == (place.device, place.inode) and found.st_size >= place.offset:
                    self._open(path, at_end=False)
                    if self._file is not None:
                        self._begin(self._file, place.offset)
                    return
        self._open(self._path, at_end=False)


def _open_file(path: str, flags: int) -> int:
    """Whatever else stands there would never end, or never begin. Raises ``OSError``."""
    opened = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(opened).st_mode
    # Of a folder, ``open`` itself says so.
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "it is no file")
    return opened
