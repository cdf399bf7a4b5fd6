"""Where the running sensor writes: records and alerts. What can't be written is counted and told, and mail goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from sensor.alert.alert import Alert
from sensor.alert.out import AlertWriter, open_alerts
from sensor.alert.sinks.rotating import file_identity
from sensor.app.reading import ForwardingBlocks
from sensor.app.recordfile import RecordFile
from sensor.app.retention import AgingFile
from sensor.errors import UserError
from sensor.log import Log
from sensor.metrics import Counts
from sensor.model import Forwarding, TapName
from sensor.privacy import Veil
from sensor.settings import FileSinkSettings, Settings, SettingsError
from sensor.taps.base import Batch

_FILE = "run.alerts"
"""The label of the file among the sinks."""


class Output:
    """
    Files of records and alerts, as ``[run]`` names them. Raises ``UserError`` where one can't be opened.

    Files that were moved away (logrotate) are made anew on ``reopen``.
    """

    def __init__(self, settings: Settings, counts: Counts, log: Log, veil: Veil) -> None:
        self._settings, self._counts, self._log, self._veil = settings, counts, log, veil
        self._blocks = ForwardingBlocks()
        self._opened = ExitStack()
        self._records: RecordFile | None = None
        self._alerts: AlertWriter | None = None
        self._alert_file = ExitStack()
        self._alerts_identity: tuple[int, int] | None = None
        self._failing = False
        with ExitStack() as undo:
            undo.push(self._opened)
            self._open()
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. May be called twice."""
        self._opened.close()

    def write_records(self, batch: Batch, forwardings: Mapping[int, Forwarding], tap: TapName) -> bool:
        """Write a line for each event of *batch*. True if all are written, false if none is, or none is to be."""
        if self._records is None or not len(batch):
            return False
        lines = batch.to_json_lines(
            self._blocks.encode(forwardings), self._blocks.none, sensor=self._settings.sensor.name, tap=tap
        )
        lines = self._veil.lines(lines)
        try:
            # Before and not after: what was just written is synced in the file that it was written to.
            self._rotate(self._aging(self._settings.run.records), self._reopen_records)
            self._records.append(lines)
        except (OSError, UserError) as error:
            self._counts.add("records_unwritten", lines.count(b"\n"))
            self._records_failed(error)
            return False
        self._failing = False
        self._counts.add("record_octets", len(lines))
        return True

    def sync_records(self) -> bool:
        """Wait until the records written so far are on disk; true if they are."""
        if self._records is None:
            return False
        try:
            self._records.sync()
        except OSError as error:
            self._records_failed(error)
            return False
        return True

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Tell *alerts*; with none, try again what is owed."""
        if self._alerts is None:
            return
        before = self._alerts.written
        try:
            self._alerts.write(alerts)
            self._counts.add("sink_alerts_delivered", self._alerts.written - before, _FILE)
            self._rotate(self._aging(self._settings.run.alerts), self._open_alerts)
        except (OSError, UserError) as error:
            self._counts.add("sink_failures", 1, _FILE)
            self._log.error("alerts_not_written", alerts=len(alerts), why=error)

    def gather(self) -> None:
        """Count what waits."""
        courier = self._alerts.courier if self._alerts is not None else None
        if courier is not None:
            self._counts.set("sink_alerts_owed", courier.owed, _FILE)

    def reopen(self) -> None:
        """
        Open the files anew that were moved away, under the names that they were given. Raises ``UserError``; then those
        that are open go on.
        """
        path = self._settings.run.alerts
        has_moved = self._alerts is not None and path != "-" and file_identity(path) != self._alerts_identity
        if has_moved:
            # Its spool lets nobody else in, so the old one has to be closed before: not where the new one can't be had.
            _check_appendable(path)
        self._reopen_records()
        if has_moved:
            self._open_alerts()

    def expire(self, first_day: int) -> None:
        """Delete files of records and alerts that end before a day, and begin those anew that were begun long ago."""
        reopening = {self._settings.run.records: self._reopen_records, self._settings.run.alerts: self._open_alerts}
        # A sink that writes to files finds out by itself that its file was moved.
        sinks = (each for each in self._settings.alerts.sinks if isinstance(each, FileSinkSettings))
        files = [self._aging(path) for path in reopening if path not in ("", "-")]
        files += [self._aging(each.path, keep_files=each.keep_files) for each in sinks]
        for file in files:
            try:
                if file.expire(first_day):
                    reopening.get(file.path, _nothing)()
            except (OSError, UserError) as error:
                self._log.error("file_not_expired", path=file.path, why=error)

    # ---- inside

    def _reopen_records(self) -> None:
        if self._records is not None:
            before, self._records = self._records, _appending(self._settings.run.records)
            before.close()

    def _open(self) -> None:
        run = self._settings.run
        if run.records:
            self._records = _appending(run.records)
            self._opened.callback(self._close_records)
        self._opened.push(self._alert_file)
        if run.alerts:
            self._open_alerts()

    def _open_alerts(self) -> None:
        """Open the file of alerts, anew if it is open. Raises ``UserError``."""
        self._alert_file.close()
        self._alerts = self._alert_file.enter_context(
            open_alerts(
                self._settings.run.alerts,
                self._settings.alerts,
                form=self._settings.run.alerts_format,
                sensor=self._settings.sensor.name,
                clock=time.monotonic,
                append=True,
            )
        )
        self._alerts_identity = file_identity(self._settings.run.alerts)

    def _aging(self, path: str, *, keep_files: int | None = None) -> AgingFile:
        store = self._settings.store
        return AgingFile(
            path,
            rotate_octets=store.rotate_octets,
            keep_files=store.keep_files if keep_files is None else keep_files,
            keep_days=store.keep_days,
        )

    def _rotate(self, file: AgingFile, reopen: Callable[[], None]) -> None:
        """Begin a file anew that has reached its size. Raises ``OSError``."""
        if self._settings.store.rotate_octets and file.is_full():
            file.move_aside()
            reopen()

    def _close_records(self) -> None:
        if self._records is not None:
            self._records.close()

    def _records_failed(self, error: OSError | UserError) -> None:
        self._counts.add("record_failures", 1)
        self._told(f"{self._settings.run.records}: {getattr(error, 'strerror', None) or error}")

    def _told(self, why: str) -> None:
        """Once for each time that it begins to fail: a full disk is not to fill the log as well."""
        if not self._failing:
            self._failing = True
            self._log.error("records_not_written", why=why)


def _nothing() -> None:
    """Whoever writes there finds out by itself."""


def _check_appendable(path: str) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise SettingsError(f"run.alerts: {path}: can't be written: {error.strerror}") from None


def _appending(path: str) -> RecordFile:
    try:
        return RecordFile(path)
    except OSError as error:
        raise SettingsError(f"run.records: {path}: can't be written: {error.strerror}") from None
