"""Standard output and error, files of records, progress, and Ctrl-C."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO, Protocol

from sensor.settings import SettingsError
from sensor.taps.base import TapError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Progress(Protocol):
    """Told how far a tap has come."""

    def update(self, done: int, total: int, path: str) -> None: ...


def print_text(text: str, *, to_stderr: bool = False) -> None:
    """To standard output: a terminal or pipe in an old encoding gets what it can show, never an error."""
    out = sys.stderr if to_stderr else sys.stdout
    out.buffer.write(text.encode(out.encoding or "utf-8", "backslashreplace"))
    out.flush()


def print_octets(octets: bytes) -> None:
    """To standard output as they are: what says its own encoding is not to be put into the terminal's."""
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


@contextmanager
def records_to(target: str | None, option: str = "--events") -> Iterator[BinaryIO | None]:
    """Where records go: a file, standard output, or nowhere. *option* is what the user said it with."""
    if target is None:
        yield None
    elif target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        try:
            file = io.BufferedWriter(_Target(option, target))
        except OSError as error:
            raise TapError(f"{option} {target}: can't be written: {error.strerror}") from None
        with file:
            yield file


class _Target(io.FileIO):
    """A file whose errors name the option that it was given with."""

    def __init__(self, option: str, path: str) -> None:
        super().__init__(path, "wb")
        self._said = f"{option} {path}"

    def write(self, octets: ReadableBuffer, /) -> int:
        try:
            return super().write(octets)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}; the file is incomplete", self._said) from None


def check_outputs(targets: Mapping[str, str | None], read: Iterable[str] = ()) -> None:
    """
    Refuse *targets* (by the option that named each) that would write over each other or over what is *read*, and more
    than one that takes standard output. Raises ``SettingsError``. Devices (``/dev/null``) may be named twice.
    """
    taking = [f"{option} -" for option, target in targets.items() if target == "-"]
    if len(taking) > 1:
        raise SettingsError(f"{' and '.join(taking)}: only one can have standard output; give the other a file")
    captures = {os.path.realpath(path): path for path in read}
    taken: dict[str, str] = {}
    for option, target in targets.items():
        if target is None or target == "-":
            continue
        place = os.path.realpath(target)
        if place in captures:
            raise SettingsError(
                f"{option} {target}: is also what is to be read, and would be overwritten; give another file"
            )
        if place in taken and not _is_device(place):
            raise SettingsError(f"{taken[place]} and {option} {target}: each needs a file of its own")
        taken[place] = option


def _is_device(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress | None]:
    """A bar on standard error if somebody is there to look at it."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from sensor.report.progress import Bar

    with Bar(sys.stderr) as bar:
        yield bar


@contextmanager
def stop_on_interrupt(stop: Callable[[], None]) -> Iterator[threading.Event]:
    """
    Make the first Ctrl-C call *stop*, so that it never breaks into the middle of a batch; a second one ends at once.

    Outside the main thread signals can't be taken, and the event stays unset.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
