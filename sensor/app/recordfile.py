"""
A file of records that can be relied on: what was appended and synced is there whole, after a full disk and a kill.

A line that could not be written whole is cut off again, at once or, where the process ended in the middle of it, when
the file is opened the next time: so each line is a record.
"""

from __future__ import annotations

import os
import stat
from types import TracebackType
from typing import Self

from sensor.durable import sync_folder

TAIL_OCTETS = 16 << 20
"""How far back a torn line is looked for. Records have some kilobytes, at the limits of the core a few hundred."""


class RecordFile:
    """
    Appends to the file at *path*, which is made with mode 0600: it says who writes to whom. "-" is standard output.

    Raises ``OSError`` where it can't be opened or written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if path == "-":
            self._file = os.dup(1)
        else:
            # Of a pipe, whoever could read it too would be its own reader, and would wait for itself.
            how = os.O_WRONLY if os.path.exists(path) and not os.path.isfile(path) else os.O_RDWR
            self._file = os.open(path, how | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # Pipes and devices can neither be cut nor synced.
        self._is_regular = path != "-" and stat.S_ISREG(os.fstat(self._file).st_mode)
        if self._is_regular:
            self._mend()
            sync_folder(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def append(self, lines: bytes) -> None:
        """Write *lines* whole, or nothing of them."""
        end = os.fstat(self._file).st_size if self._is_regular else 0
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            if self._is_regular and len(left) < len(lines):
                os.ftruncate(self._file, end)
            raise

    def sync(self) -> None:
        """Wait until what was appended is on disk."""
        if self._is_regular:
            os.fdatasync(self._file)

    def close(self) -> None:
        """May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _mend(self) -> None:
        """Cut off what stands behind the last line end."""
        size = os.fstat(self._file).st_size
        start = max(0, size - TAIL_OCTETS)
        tail = os.pread(self._file, size - start, start) if size else b""
        end = start + tail.rfind(b"\n") + 1
        if end < size and (start == 0 or end > start):
            os.ftruncate(self._file, end)


def keeps(path: str) -> bool:
    """Whether what is written to *path* stays there: a file, or none yet. No pipe, no device, no standard output."""
    return path not in ("", "-") and (os.path.isfile(path) or not os.path.exists(path))
