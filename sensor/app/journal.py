"""Takes copies of mail in until told to stop: each is acknowledged when its record is written. Then the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from sensor.app.common import READ_WHOLE, READ_WITH_DAMAGE
from sensor.app.endless import EndlessOptions, alerts_to, print_end, run_endless, set_up, until_told
from sensor.app.recordfile import RecordFile, keeps
from sensor.log import Log
from sensor.model import InterestSpec
from sensor.settings import JournalSettings, Settings, SettingsError
from sensor.settings.checks import addresses, listen, networks
from sensor.taps.awaited import AwaitedBatch
from sensor.taps.base import Batch, TapError
from sensor.taps.journal.tap import JournalTap

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions(EndlessOptions):
    """What the command line asks of a journal; what it names stands in place of what the settings say."""

    listen: str | None = None
    addresses: Sequence[str] = ()
    peers: Sequence[str] = ()


def journal(options: JournalOptions, environment: Mapping[str, str]) -> int:
    """
    Take copies in until Ctrl-C or SIGTERM, print the summary, and return the exit status: 3 if copies could not be read
    as what they claim to be, or were deferred.

    Raises a ``UserError`` for what the caller must put right.
    """
    setup = set_up(options, environment, lambda settings: _with_options(options, settings))
    log = Log()
    with until_told(setup) as opened:
        records = opened.enter_context(_Records(str(options.events), log))
        tap = _SettlingTap(setup.table.interest, setup.settings.journal, records, limits=setup.core_limits, log=log)
        opened.callback(tap.stop)
        run = run_endless(tap, setup, sink=records, tell=alerts_to(options, setup, environment, opened, append=True))
    print_end(run, tap, setup, options)
    return _status(tap, log)


def _with_options(options: JournalOptions, settings: Settings) -> Settings:
    """The settings with what the command line says."""
    if options.events is None:
        raise SettingsError("--events FILE is needed: a copy is acknowledged when its record is written there")
    if not keeps(options.events):
        raise SettingsError(
            f"--events {options.events}: is no file; a copy is acknowledged when its record is on disk, and a pipe or "
            "device keeps none. Name a file; tail -F shows it as it grows"
        )
    ours = settings.journal
    if options.listen is not None:
        ours = replace(ours, listen=_checked("--listen", options.listen, listen))
    if options.addresses:
        ours = replace(ours, addresses=_checked("--address", list(options.addresses), addresses))
    if options.peers:
        ours = replace(ours, peers=_checked("--peer", list(options.peers), networks))
    return replace(settings, journal=ours)


def _checked(option: str, value: object, check: Callable[[object], Value]) -> Value:
    try:
        return check(value)
    except ValueError as error:
        raise SettingsError(f"{option} {error}") from None


def _status(tap: JournalTap, log: Log) -> int:
    """Say what could not be read or kept, if anything."""
    counters = tap.counters()
    names = ("recipient_lost", "report_unreadable", "report_encrypted", "original_missing", "original_in_tnef")
    lost = ("form_failed", "copies_not_written", "copies_late", "copies_failed")
    wrong = {name: counters[f"journal_{name}"] for name in (*names, *lost) if counters[f"journal_{name}"]}
    if wrong:
        log.warning("copies_incomplete", **wrong)
    return READ_WITH_DAMAGE if wrong else READ_WHOLE


class _Records:
    """
    Where records are written. What can't be written is told once, and the copies that it is about are deferred.
    """

    def __init__(self, path: str, log: Log) -> None:
        self._log = log
        try:
            self._file = RecordFile(path)
        except OSError as error:
            raise TapError(f"--events {path}: can't be written: {error.strerror}") from None
        self._failed = self._is_told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, octets: bytes) -> None:
        """Append *octets*; whether that went well, ``settled`` says."""
        try:
            self._file.append(octets)
        except OSError as error:
            self._fail(error)

    def settled(self) -> bool:
        """Whether all that was written since the last call is on disk."""
        try:
            self._file.sync()
        except OSError as error:
            self._fail(error)
        failed, self._failed = self._failed, False
        self._is_told = self._is_told and failed
        return not failed

    def _fail(self, error: OSError) -> None:
        self._failed = True
        if not self._is_told:
            self._is_told = True
            self._log.error("records_not_written", why=error.strerror)


class _SettlingTap(JournalTap):
    """A journal whose batches are settled when their reader comes for the next one: then their records are written."""

    def __init__(
        self,
        interest: InterestSpec,
        settings: JournalSettings,
        records: _Records,
        *,
        limits: Mapping[str, int],
        log: Log,
    ) -> None:
        super().__init__(interest, settings, limits=limits, log=log)
        self._records = records

    def batches(self) -> Iterator[Batch]:
        for batch in super().batches():
            yield batch
            if len(batch) and isinstance(batch, AwaitedBatch):
                batch.settle(self._records.settled())
