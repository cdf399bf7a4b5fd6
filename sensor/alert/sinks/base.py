"""
What a sink is: it carries a batch of alert records away, and says how far it came.

A sink keeps no queue and never tries again by itself: what is owed waits in the spool, and whoever drives the sink
decides when the next try is due. So a sink over a network needs no more than this: an ``AsyncSink`` differs by one
``await``, and both are driven by the same courier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sensor.alert.record import AlertRecord
from sensor.errors import UserError


class SinkError(UserError):
    """A sink can't be opened, or can't be used as it is meant; the message says what the caller must put right."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    What became of a batch: its first ``count`` records arrived, and the next ``unsure`` ones may have.

    With ``problem`` the rest did not; ``retry_after_s`` is how long the other side asks to be left alone. Where
    ``refuses_next`` is true, it is the record after the first ``count`` that was refused, for what it says: others may
    well be taken. Where ``cause`` is set, it is the error behind the problem.
    """

    count: int
    unsure: int = 0
    refuses_next: bool = False
    problem: str | None = None
    retry_after_s: float | None = None
    cause: OSError | None = None


class Sink(Protocol):
    """
    Carries alert records somewhere. ``deliver`` never raises for what the world does: full disks, closed pipes.

    After ``close`` every delivery is a problem. ``close`` may be called twice.
    """

    @property
    def name(self) -> str: ...
    def deliver(self, batch: Sequence[AlertRecord]) -> Delivered: ...
    def close(self) -> None: ...


class AsyncSink(Protocol):
    """
    The same for a sink that waits for others: it is awaited, by one task at a time, and bounds each wait itself.

    ``batch`` is how many records it wants at once, since after an end in mid-delivery all of these come again, marked.
    ``refresh_s`` is how often it wants ``refresh`` called, for what it owes the other side besides deliveries; none
    for never. ``remember`` takes alerts that an earlier run has told and that still fire.
    """

    @property
    def name(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def refresh_s(self) -> float | None: ...
    async def deliver(self, batch: Sequence[AlertRecord]) -> Delivered: ...
    async def refresh(self) -> Delivered: ...
    def remember(self, records: Sequence[AlertRecord]) -> None: ...
    async def close(self) -> None: ...


class PlainAsyncSink:
    """What a sink without duties of its own answers to ``refresh`` and ``remember``."""

    refresh_s: float | None = None

    async def refresh(self) -> Delivered:
        return Delivered(0)

    def remember(self, records: Sequence[AlertRecord]) -> None:
        """Nothing is sent again, so nothing has to be known."""
