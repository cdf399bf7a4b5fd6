"""Records as lines of text, to a file or to standard output: what the JSON Lines and the OCSF sink have in common."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Sequence

from sensor.alert.record import AlertRecord
from sensor.alert.sinks.base import Delivered, SinkError

STANDARD_OUTPUT = "-"


class LineSink:
    """
    Writes each record as one line.

    A record is on a file whole or not at all: where a write fails half-way, the half is taken back, and a half that a
    crash left at the end of an appended file is ended, so that it spoils no other. With *durable*, a delivery counts
    once the disk has it. A pipe can't take back; there the record whose writing broke is ``unsure``.
    """

    def __init__(
        self, name: str, target: str, form: Callable[[AlertRecord], bytes], *, append: bool, durable: bool
    ) -> None:
        self._name = name
        self._form = form
        self._file, self._owned = _open(target, append=append)
        self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        self._durable = durable and self._regular
        if append and self._regular:
            self._end_torn_line(target)

    @property
    def name(self) -> str:
        return self._name

    def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        if self._file < 0:
            return Delivered(0, problem="the sink is closed")
        for number, record in enumerate(batch):
            before = self._position()
            try:
                self._write(self._form(record))
            except OSError as error:
                unsure = 0 if self._take_back(before) else 1
                return Delivered(number, unsure=unsure, problem=error.strerror or str(error), cause=error)
        return self._settled(len(batch))

    def close(self) -> None:
        if self._file >= 0 and self._owned:
            os.close(self._file)
        self._file = -1

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _settled(self, count: int) -> Delivered:
        if self._durable:
            try:
                os.fsync(self._file)
            except OSError as error:
                return Delivered(0, unsure=count, problem=error.strerror or str(error), cause=error)
        return Delivered(count)

    def _position(self) -> int | None:
        """Where the next line begins; none where there is no such thing, as on a pipe."""
        return os.lseek(self._file, 0, os.SEEK_END) if self._regular else None

    def _take_back(self, position: int | None) -> bool:
        """Cut the file to *position*; false where that can't be done."""
        if position is None:
            return False
        try:
            os.ftruncate(self._file, position)
            os.lseek(self._file, position, os.SEEK_SET)
        except OSError:
            return False
        return True

    def _end_torn_line(self, target: str) -> None:
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            with open(target, "rb") as reader:
                reader.seek(max(0, end - 1))
                torn = end > 0 and reader.read(1) != b"\n"
            if torn:
                self._write(b"\n")
        except OSError as error:
            self.close()
            raise SinkError(f"{target}: can't be continued: {error.strerror}") from None


def _open(target: str, *, append: bool) -> tuple[int, bool]:
    if target == STANDARD_OUTPUT:
        # What was printed before has to come out before.
        sys.stdout.flush()
        return sys.stdout.fileno(), False
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
    try:
        return os.open(target, flags, 0o600), True
    except OSError as error:
        raise SinkError(f"{target}: can't be written: {error.strerror}") from None
