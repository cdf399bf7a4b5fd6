"""What a run takes from the file of earlier runs, and leaves in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

from sensor.alert.alert import Alert
from sensor.alert.record import AlertRecord, read_alert, record_of, to_line
from sensor.analysis import Analysis
from sensor.database import Change, CountedCapture, Database
from sensor.log import Log
from sensor.settings import SettingsError
from sensor.taps.files import STDIN, Found, capture_digest

TOLD = "told"
"""The kind under which alerts are kept as they were last told: one JSON record each."""


class Keeper:
    """
    An open file of states, and the captures that this run reads.

    A run is kept whole or not at all: its captures are noted as counted in the same transaction as what they came to.
    """

    def __init__(self, database: Database, log: Log | None = None) -> None:
        self._database = database
        self._log = log or Log()
        self._captures: list[CountedCapture] = []

    def note_captures(self, paths: Sequence[str]) -> list[str]:
        """Know the captures again; all *paths*. Standard input can't be known again."""
        for path in paths:
            if path != STDIN:
                self._note(path)
        return list(paths)

    def not_counted(self, paths: Sequence[str]) -> Iterator[tuple[str, CountedCapture | None]]:
        """Each path with the capture of the same content that was counted before, under whatever name, if any."""
        for path in paths:
            if path == STDIN:
                raise SettingsError("--once: standard input can't be known again; name a file, or leave --once out")
            capture = self._note(path)
            before = self._database.counted(capture.digest)
            if before is not None:
                self._captures.pop()
            yield path, before

    def restore(self, analysis: Analysis, wants: Callable[[str], bool] | None = None) -> None:
        """
        Go on from what earlier runs came to, of all kinds or of those that *wants* is true of. What can't be read is
        told in the log and left where it is.
        """
        for kind in self._database.kinds():
            if kind == TOLD or (wants is not None and not wants(kind)):
                continue
            for key, blob in self._database.states(kind):
                problem = analysis.restore(kind, key, blob)
                if problem is not None:
                    self._log.warning("state_not_read", path=self._database.path, why=problem)

    def told(self) -> Iterator[AlertRecord]:
        """The alerts of earlier runs, each as it was last told. What can't be read is told in the log."""
        for alert_id, line in self._database.states(TOLD):
            try:
                yield read_alert(line)
            except msgspec.DecodeError as error:
                self._log.warning("state_not_read", path=self._database.path, why=f"alert {alert_id}: {error}")

    def keep(self, analysis: Analysis, alerts: Iterable[Alert], *, sensor: str) -> None:
        """Write what changed since ``restore``. Raises ``DatabaseError``; then the file is as it was."""
        changes = (Change(*state) for state in analysis.changed())
        told = (Change(TOLD, alert.id, to_line(record_of(alert, sensor=sensor))) for alert in alerts)
        self._database.save((change for part in (changes, told) for change in part), self._captures)
        self._captures.clear()

    def _note(self, path: str) -> CountedCapture:
        digest, octets = capture_digest(path)
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        capture = CountedCapture(digest, path, octets, now)
        self._captures.append(capture)
        return capture


@contextmanager
def open_keeper(path: str) -> Iterator[Keeper]:
    """The file at *path*, made if it is not there, for as long as the run lasts. Raises ``DatabaseError``."""
    with Database(path) as database:
        yield Keeper(database)


def once_only(keeper: Keeper, found: Found) -> list[str]:
    """The captures of *found* that were not counted before; the others are named among its ``counted_before``."""
    fresh = []
    for path, before in keeper.not_counted(found.paths):
        if before is None:
            fresh.append(path)
        else:
            known = "" if before.name == path else f" as {before.name}"
            found.counted_before.append(
                f"{path}: counted before{known}, on {before.counted_at[:16].replace('T', ' ')} UTC"
            )
    return fresh
