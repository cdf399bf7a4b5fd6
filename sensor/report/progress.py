"""A progress bar on standard error."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from sensor.log import printable


class Bar:
    """Octets read of all, with the file being read. It goes away when the work is done."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            # The path is text, not markup: a name with brackets is shown as it is.
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._task = self._progress.add_task("reading", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, done: int, total: int, path: str) -> None:
        """Octets *done* of *total* (0: unknown), in the file *path*."""
        name = printable(os.path.basename(path)) or "reading"
        self._progress.update(self._task, completed=done, total=total or None, description=name)
