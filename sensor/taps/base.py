"""
What every source of mail offers: batches of events until it ends, a way to stop it, and an account of how it went.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from sensor.errors import UserError
from sensor.model import Event, TapName, TlsSession, Transaction
from sensor.tally import Tally


class TapError(UserError):
    """The source can't be read; the message says what is wrong and what would work."""


class RightGoneError(TapError):
    """The source could be read, had this process the right to it, which it may have given up."""


class DamageView(Protocol):
    """One thing that was wrong with a source: what could be read was read."""

    @property
    def path(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def offset(self) -> int | None: ...


class Batch(Protocol):
    """Events in the order in which they became known."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Event]: ...
    def tally(self, *, classify_all: bool) -> Tally: ...
    def to_json_lines(
        self, forwardings: Mapping[int, bytes], default_forwarding: bytes, *, sensor: str, tap: str
    ) -> bytes: ...


class Tap(Protocol):
    """
    A source of mail. Its events are of ``transaction_type`` and ``session_type``.

    ``batches`` may yield empty batches while it waits, so that its reader gets a turn. After ``stop`` it finishes
    what was read so far and ends; ``stop`` may be called from a signal handler.
    """

    @property
    def name(self) -> TapName: ...
    @property
    def transaction_type(self) -> type[Transaction]: ...
    @property
    def session_type(self) -> type[TlsSession]: ...
    def batches(self) -> Iterator[Batch]: ...
    def stop(self) -> None: ...
    def progress(self) -> tuple[int, int, str]: ...
    def counters(self) -> Mapping[str, int]: ...
    def anomalies(self) -> Mapping[str, int]: ...
    def damage(self) -> Sequence[DamageView]: ...
