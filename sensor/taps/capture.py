"""Capture files as a source of mail. The reading is done by the core, on threads of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from sensor import _core
from sensor.ledger.store import MakesTraffic
from sensor.model import InterestSpec, TapName, TlsSession, Transaction
from sensor.taps.base import Batch, DamageView, TapError

# How long to wait for a batch before the reader gets a turn: for Ctrl-C and the progress bar, ten times a second is
# smooth.
TURN_S = 0.1


class CoreSource(Protocol):
    """What reads for a tap in the core, on threads of its own: files, or interfaces."""

    def next_batch(self, timeout_s: float | None = None) -> _core.Batch | None: ...
    def stop(self) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def anomalies(self) -> dict[str, int]: ...


class CoreEvents:
    """A tap whose events are made by the core."""

    @property
    def transaction_type(self) -> type[Transaction]:
        return _core.Transaction

    @property
    def session_type(self) -> type[TlsSession]:
        return _core.TlsSession


class CoreTap(CoreEvents):
    """What the taps that the core reads for have in common."""

    def __init__(self, source: CoreSource) -> None:
        self._source = source
        self._stopped = False

    def batches(self) -> Iterator[Batch]:
        """
        Batches until the end, or until it is stopped and what was read is told.

        Ctrl-C while waiting for one stops the reading, and what was read is still given out; a second one ends it.
        """
        while True:
            try:
                batch = self._source.next_batch(TURN_S)
            except KeyboardInterrupt:
                if self._stopped:
                    raise
                self.stop()
                continue
            if batch is None:
                return
            yield batch

    def stop(self) -> None:
        self._stopped = True
        self._source.stop()

    def counters(self) -> Mapping[str, int]:
        return self._source.counters()

    def anomalies(self) -> Mapping[str, int]:
        return self._source.anomalies()


class CaptureTap(CoreTap):
    """
    Reads *paths* (files, or ``-`` for standard input) in order. Raises ``TapError`` where the core refuses to start.

    A file that can't be read becomes an entry of ``damage`` and the others are read.
    """

    def __init__(
        self,
        paths: Sequence[str],
        interest: InterestSpec,
        *,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        wanted = core_interest(interest)
        try:
            self._replay = _core.Replay(paths, wanted, limits=limits)
        except _core.CaptureError as error:
            raise TapError(str(error)) from error
        super().__init__(self._replay)

    @property
    def name(self) -> TapName:
        return "pcap"

    def progress(self) -> tuple[int, int, str]:
        return self._replay.progress()

    def damage(self) -> Sequence[DamageView]:
        return self._replay.damage()


def core_interest(interest: InterestSpec) -> _core.Interest:
    """What the table in force asks for, made ready for searching. Raises ``TapError`` where it asks for too much."""
    try:
        return _core.Interest(
            fields=interest.fields,
            context_fields=interest.context_fields,
            reverse_path_marks=interest.reverse_path_marks,
            subject_prefixes=interest.subject_prefixes,
            body_marks=interest.body_marks,
            reply_prefixes=interest.reply_prefixes,
            labels=interest.labels,
            reply_marks=interest.reply_marks,
        )
    except ValueError as error:
        raise TapError(f"the artifact table can't be searched for: {error}") from None


def core_limits() -> list[tuple[str, str, int]]:
    """Every bound of the core: name, reason, default."""
    return _core.limits()


def core_counters() -> list[tuple[str, str]]:
    """Every counter of the core: name, meaning."""
    return _core.counters()


def core_traffic() -> MakesTraffic:
    """What makes the ledger's accounts of ordinary mail, in the core."""
    return _core.Traffic


def transaction_types() -> tuple[type[Transaction], type[TlsSession]]:
    """The classes that the events of every tap of the core are of."""
    return _core.Transaction, _core.TlsSession
