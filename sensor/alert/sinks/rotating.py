"""
Lines in a file that is moved aside when it is full: ``alerts.jsonl``, then ``alerts.jsonl.1`` (the latest), ``.2``, ...

No line is split between two files. A file that somebody else moves aside (logrotate) is begun anew at the next
delivery.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence

from sensor.alert.record import AlertRecord
from sensor.alert.sinks.base import Delivered, Sink, SinkError

Open = Callable[[str], Sink]


class RotatingSink:
    """
    A sink of lines that *open_sink* opens at *path*. A batch that finds *rotate_octets* in the file goes into the next.

    Raises ``SinkError`` where the file can't be opened, or is no regular file: a pipe can't be moved aside.
    """

    def __init__(self, name: str, path: str, open_sink: Open, *, rotate_octets: int, keep_files: int) -> None:
        self._name = name
        self._path = path
        self._open_sink = open_sink
        self._rotate_octets = rotate_octets
        self._keep_files = keep_files
        self._closed = False
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise SinkError(f"{path}: is no regular file, so it can't be moved aside")
        self._sink: Sink | None = open_sink(path)
        self._identity = file_identity(path)

    @property
    def name(self) -> str:
        return self._name

    def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        if self._closed:
            return Delivered(0, problem="the sink is closed")
        for number, record in enumerate(batch):
            try:
                delivered = self._ready().deliver([record])
            except (OSError, SinkError) as error:
                return Delivered(number, problem=str(error))
            if delivered.problem is not None:
                return Delivered(number, unsure=delivered.unsure, problem=delivered.problem, cause=delivered.cause)
        return Delivered(len(batch))

    def close(self) -> None:
        self._closed = True
        self._let_go()

    def _ready(self) -> Sink:
        """The sink of a file that has room and is the one of that name. Raises ``OSError`` and ``SinkError``."""
        if self._sink is not None and file_identity(self._path) != self._identity:
            self._let_go()
        if self._sink is not None and os.path.getsize(self._path) >= self._rotate_octets:
            self._let_go()
            move_aside(self._path, self._keep_files)
        if self._sink is None:
            self._sink = self._open_sink(self._path)
            self._identity = file_identity(self._path)
        return self._sink

    def _let_go(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None


def move_aside(path: str, keep_files: int) -> None:
    """Make room at *path*: number the files behind it one higher, and drop what is beyond *keep_files*."""
    if keep_files == 0:
        os.unlink(path)
        return
    for number in range(keep_files, 0, -1):
        before = path if number == 1 else f"{path}.{number - 1}"
        with contextlib.suppress(FileNotFoundError):
            os.replace(before, f"{path}.{number}")


def file_identity(path: str) -> tuple[int, int] | None:
    """Device and inode of the file that has that name now; none where there is none. Raises ``OSError``."""
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino
