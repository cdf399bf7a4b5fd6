"""What a run takes from the file of earlier runs, and leaves in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec

from sensor.alert.alert import Alert
from sensor.alert.record import AlertRecord, read_alert, record_of, to_line
from sensor.analysis import SEEN, Analysis
from sensor.app.retention import time_of
from sensor.database import Change, CountedCapture, Database
from sensor.log import Log
from sensor.privacy import keys_of, told_as
from sensor.pseudonym import KeyRing
from sensor.settings import PrivacySettings, SettingsError
from sensor.taps.files import STDIN, Found, capture_digest
from sensor.taps.folder import Reading

TOLD = "told"
"""The kind under which alerts are kept as they were last told: one JSON record each."""

DOMAINS = "internal_domains"
"""The key, among what was seen in all, of the domains that were taken for ours."""

TOLD_AS = "told_as"
"""The key, among what was seen in all, of how names were told."""

READING = "reading"
"""The kind under which stands, by worker, how far captures were read that are not read to their end."""


class Keeper:
    """
    An open file of states, and the captures that this run reads.

    A run is kept whole or not at all: its captures are noted as counted in the same transaction as what they came to.
    *told* is how names are told, as ``privacy.told_as`` puts it. ``tells_anew`` once ``restore`` found that they were
    told otherwise before: then every alert is to be kept anew as it is told now.
    """

    def __init__(self, database: Database, log: Log | None = None, told: str = "clear") -> None:
        self._database = database
        self._log = log or Log()
        self._told = told
        self._captures: list[CountedCapture] = []
        self.tells_anew = False
        self._readings: tuple[str, ...] = tuple(key for key, _ in database.states(READING))

    @property
    def path(self) -> str:
        return self._database.path

    def note_captures(self, paths: Sequence[str]) -> list[str]:
        """Know the captures again; all *paths*. Standard input can't be known again."""
        for path in paths:
            if path != STDIN:
                self._note(path)
        return list(paths)

    def not_counted(self, paths: Sequence[str]) -> Iterator[tuple[str, CountedCapture | None]]:
        """Each path with the capture of the same content that was counted before, under whatever name, if any."""
        this_run: dict[str, CountedCapture] = {}
        for path in paths:
            if path == STDIN:
                raise SettingsError("--once: standard input can't be known again; name a file, or leave --once out")
            capture = self._note(path)
            before = self._database.counted(capture.digest) or this_run.get(capture.digest)
            if before is not None:
                self._captures.pop()
            this_run.setdefault(capture.digest, capture)
            yield path, before

    def internal_domains(self) -> tuple[str, ...]:
        """The domains that were ours in the latest run; none if none were known."""
        blob = dict(self._database.states(SEEN)).get(DOMAINS)
        return () if blob is None else tuple(blob.decode().split())

    def restore(self, analysis: Analysis, wants: Callable[[str], bool] | None = None) -> int:
        """
        Go on from what earlier runs came to, of all kinds or of those that *wants* is true of; the number of states
        that could not be read.

        Those are told in the log, by kind. Damaged ones are dropped by ``keep``, others stay: a later version may know
        them.
        """
        self._forget_told_otherwise()
        problems: dict[str, list[str]] = {}
        for kind in self._database.kinds():
            if kind in (TOLD, READING) or (wants is not None and not wants(kind)):
                continue
            for key, blob in self._database.states(kind):
                problem = analysis.restore(kind, key, blob)
                if problem is not None:
                    problems.setdefault(kind, []).append(problem)
        log_unread(self._log, self._database, problems)
        domains, ours = self.internal_domains(), analysis.pipeline.organisation.domains
        if domains != ours and self._database.kinds():
            self._log.warning(
                "internal_domains_differ",
                path=self._database.path,
                kept=" ".join(domains) or "none",
                now=" ".join(ours) or "none",
                so="what was inside then may be outside now",
            )
        return sum(map(len, problems.values())) + len(self._database.damaged)

    def told(self) -> Iterator[AlertRecord]:
        """The alerts of earlier runs, each as it was last told. What can't be read is told in the log."""
        for alert_id, line in self._database.states(TOLD):
            try:
                yield read_alert(line)
            except msgspec.DecodeError as error:
                self._log.warning("state_not_read", path=self._database.path, why=f"alert {alert_id}: {error}")

    def readings(self) -> dict[str, Reading]:
        """By worker, how far the last run came with captures that it had not read to their end."""
        found = {}
        for worker, blob in self._database.states(READING):
            with suppress(msgspec.DecodeError):  # of another version: then they are read from their beginning
                found[worker] = msgspec.json.decode(blob, type=Reading)
        return found

    def keep(
        self, analysis: Analysis, alerts: Iterable[Alert], *, sensor: str, readings: Mapping[str, Reading] | None = None
    ) -> None:
        """
        Write what changed since ``restore``, and how far captures are read that are not read to their end. Raises
        ``DatabaseError``; then the file is as it was.
        """
        changes = (Change(*state) for state in analysis.changed())
        domains = " ".join(analysis.pipeline.organisation.domains).encode()
        reading = {**dict.fromkeys(self._readings, b""), **_encoded(readings or {})}
        own = (
            Change(SEEN, DOMAINS, domains),
            Change(SEEN, TOLD_AS, self._told.encode()),
            *(Change(READING, worker, blob) for worker, blob in reading.items()),
        )
        told = (Change(TOLD, alert.id, to_line(record_of(alert, sensor=sensor))) for alert in alerts)
        self._database.save((change for part in (changes, own, told) for change in part), self._captures)
        self._captures.clear()
        self._readings = tuple(readings or ())

    def expire(self, analysis: Analysis, first_day: int) -> list[str]:
        """
        Delete what last changed before a day, from the file and from *analysis*: all but alerts that fire. The ids of
        the alerts among it. Raises ``DatabaseError``; then it is tried again next time.

        To be called after ``keep``: what has changed since would be forgotten as well.
        """
        old = [each for each in self._database.unchanged_since(first_day) if self._is_over(analysis, *each)]
        deleted = self._database.delete(old, time_of(first_day))
        if deleted:
            self._log.info("deleted_by_age", path=self._database.path, before=time_of(first_day)[:10], count=deleted)
        return [key for kind, key in old if kind == TOLD]

    def _is_over(self, analysis: Analysis, kind: str, key: str) -> bool:
        return not analysis.policy.holds(key) if kind == TOLD else analysis.forget(kind, key)

    def _forget_told_otherwise(self) -> None:
        """Alerts as they were told under names of the other kind are not to be shown any more."""
        before = dict(self._database.states(SEEN)).get(TOLD_AS, b"clear").decode()
        if before.split()[0] == self._told.split()[0]:
            return
        self.tells_anew = True
        count = self._database.delete((TOLD, key) for key, _ in list(self._database.states(TOLD)))
        if count:
            self._log.warning("alerts_renamed", path=self._database.path, count=count, before=before, now=self._told)

    def _note(self, path: str) -> CountedCapture:
        digest, octets = capture_digest(path)
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        capture = CountedCapture(digest, path, octets, now)
        self._captures.append(capture)
        return capture


@contextmanager
def open_keeper(path: str, privacy: PrivacySettings | None = None, keys: KeyRing | None = None) -> Iterator[Keeper]:
    """
    The file at *path*, made if it is not there, for as long as the run lasts, and sealed where *privacy* asks for it,
    with the keys of its key file unless others are given.

    Raises ``DatabaseError`` and ``KeyFileError``.
    """
    privacy = privacy or PrivacySettings()
    told = told_as(privacy)
    with Database(path, keys=keys or keys_of(privacy), sealed=privacy.mode == "pseudonym") as database:
        yield Keeper(database, told=told)


def _encoded(readings: Mapping[str, Reading]) -> dict[str, bytes]:
    return {worker: msgspec.json.encode(reading) for worker, reading in readings.items()}


def log_unread(log: Log, database: Database, problems: Mapping[str, Sequence[str]]) -> None:
    """Tell of states that could not be read, once for each kind; *problems* are those that are not damaged."""
    for kind, count in sorted(Counter(kind for kind, _ in database.damaged).items()):
        log.warning("state_damaged", path=database.path, kind=kind, count=count)
    for kind, texts in problems.items():
        log.warning("state_not_read", path=database.path, kind=kind, count=len(texts), why=texts[0])


def once_only(keeper: Keeper, found: Found) -> list[str]:
    """The captures of *found* that were not counted before; the others are named among its ``counted_before``."""
    fresh = []
    for path, before in keeper.not_counted(found.paths):
        if before is None:
            fresh.append(path)
        else:
            found.counted_before.append(_counted_as(path, before))
    return fresh


def _counted_as(path: str, before: CountedCapture) -> str:
    known = "" if before.name == path else f" as {before.name}"
    return f"{path}: counted before{known}, on {before.counted_at[:16].replace('T', ' ')} UTC"
