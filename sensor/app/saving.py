"""
When the running sensor saves, and what is deleted by its age with that.

Saves fall between batches, every ``store.checkpoint_s`` seconds, which is what a kill may cost. Captures that are read
from files are saved when they have been read to their end: a sensor that was killed reads them again, and counts
nothing twice. Where other sources are at work meanwhile, their saves do not wait for that: with them is saved how far
the captures were read, so that the next process goes on from there and counts nothing twice either.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sensor.analysis import Analysis
from sensor.app.keeping import Keeper
from sensor.app.output import Output
from sensor.app.retention import Retention
from sensor.app.worker import Worker
from sensor.database import DatabaseError
from sensor.errors import UserError
from sensor.log import Log
from sensor.metrics import Counts
from sensor.settings import Settings
from sensor.taps.base import Batch
from sensor.taps.folder import Reading
from sensor.view import View


class Saver:
    """
    Saves to *keeper*; without one it does nothing. ``readings`` are, by worker, how far captures are read that are not
    read to their end.
    """

    def __init__(self, keeper: Keeper | None, settings: Settings, counts: Counts, log: Log) -> None:
        self.readings: dict[str, Reading] = {}
        self.checkpoint_s = settings.store.checkpoint_s
        self._keeper, self._sensor, self._counts, self._log = keeper, settings.sensor.name, counts, log
        self._retention = Retention(settings.store.keep_days)
        self._due_s = 0.0
        self._problem: str | None = None

    # ---- how far captures are read

    def begin(self, worker: str, reading: Reading) -> None:
        """A worker begins with captures that are read together, or goes on with them."""
        if self._keeper is not None:
            self.readings[worker] = reading

    def follow(self, worker: str, batch: Batch) -> None:
        """A batch of a worker was taken."""
        if worker in self.readings:
            self.readings[worker] = self.readings[worker].after(batch)

    def end(self, worker: str, paths: Sequence[str]) -> None:
        """A worker has read the captures at *paths* to their end: they are noted as counted with the next save."""
        self.readings.pop(worker, None)
        if self._keeper is None:
            return
        try:
            self._keeper.note_captures(paths)
        except (UserError, OSError) as error:
            self._log.error("capture_not_noted", why=error)

    # ---- saving

    def wait(self) -> None:
        """The next save is due in ``checkpoint_s`` seconds from now."""
        self._due_s = time.monotonic() + self.checkpoint_s

    def is_due(self, workers: Iterable[Worker]) -> bool:
        """True if it is time to save, and ``may_save``."""
        return time.monotonic() >= self._due_s and self.may_save(workers)

    def may_save(self, workers: Iterable[Worker]) -> bool:
        """
        True if no capture is being read, or if others would wait for its end: then with how far it was read. Of
        captures alone nothing would be gained: read again as a whole, they give what they would have given.
        """
        others = (worker for worker in workers if worker.name not in self.readings)
        return not self.readings or (
            any(worker.goes_on for worker in others) and all(each.can_be_resumed for each in self.readings.values())
        )

    def save(self, analysis: Analysis, view: View, output: Output, *, is_last: bool = False) -> None:
        """
        Keep what changed in *analysis* and the alerts told since the last save, and delete what is too old, there, in
        *view* and in the files of *output*. What the disk refuses is counted, told, and held for the next save; what
        the last save of all can't keep is told even if it was told before.
        """
        if is_last:
            self._problem = None
        self.wait()
        if self._keeper is None:
            return
        began = time.perf_counter()
        try:
            self._keeper.keep(analysis, view.unsaved_alerts(), sensor=self._sensor, readings=self.readings)
            self._expire(self._keeper, analysis, view, output)
        except DatabaseError as error:
            self._counts.add("store_saves", 1, "failed")
            self._tell(str(error))
        else:
            self._counts.add("store_saves", 1, "good")
            self._tell(None)
            self._counts.set("store_last_save_timestamp_seconds", time.time())
        self._counts.observe("store_save_duration_seconds", time.perf_counter() - began)

    def _tell(self, problem: str | None) -> None:
        """A problem is told once, not for each save, and so is its end: a full disk is not to fill the log as well."""
        if problem is not None and problem != self._problem:
            self._log.error("not_saved", why=problem)
        elif problem is None and self._problem is not None:
            self._log.info("saved_again")
        self._problem = problem

    def _expire(self, keeper: Keeper, analysis: Analysis, view: View, output: Output) -> None:
        """Delete what is older than ``store.keep_days``. Raises ``DatabaseError``."""
        first_day = self._retention.due()
        if self._retention.was_set:
            self._log.warning("clock_was_set", so="nothing is deleted by its age for a day")
        if first_day is not None:
            view.forget_alerts(keeper.expire(analysis, first_day))
            output.expire(first_day)
