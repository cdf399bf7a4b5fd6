"""Network interfaces as a source of mail. The capturing is done by the core, on threads of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sensor import _core
from sensor.model import InterestSpec, TapName
from sensor.privileges import may
from sensor.settings import LiveSettings
from sensor.taps.base import Batch, DamageView, RightGoneError, TapError
from sensor.taps.capture import CoreTap, core_interest

# How often it is looked whether an interface went down or frames were dropped. The core's own counts are as old.
LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Lost:
    """Frames of an interface that the kernel dropped, or an outage: mail may have passed unseen."""

    path: str
    kind: str
    detail: str
    offset: int | None = None


InterfaceStatus = _core.InterfaceStatus
"""How an interface is, and what was read of it."""

Watcher = Callable[[InterfaceStatus, InterfaceStatus], None]
"""Told of an interface whenever its state, problem or losses changed: as it was, and as it is."""


class LiveTap(CoreTap):
    """
    Captures *interfaces* as *settings* say, until stopped. Raises ``TapError`` for what can't be captured, and why.

    An interface that was removed is opened anew only with *reopens*, which keeps the right to that. ``damage`` tells of
    frames that were lost and of outages. *watch* is called between batches.
    """

    def __init__(
        self,
        interfaces: Sequence[str],
        interest: InterestSpec,
        *,
        settings: LiveSettings | None = None,
        limits: Mapping[str, int] | None = None,
        reopens: bool = True,
        watch: Watcher | None = None,
    ) -> None:
        how = settings or LiveSettings()
        wanted = core_interest(interest)
        try:
            self._live = _core.Live(
                interfaces,
                wanted,
                limits=limits,
                ports=how.ports,
                ring_octets=how.ring_octets,
                snap_octets=how.snap_octets,
                promiscuous=how.promiscuous,
                workers=how.workers,
                block_timeout_ms=how.block_timeout_ms,
                reopens=reopens,
            )
        except (_core.CaptureError, ValueError) as error:
            raise (TapError if may("net_raw") else RightGoneError)(str(error)) from None
        super().__init__(self._live)
        self._watch = watch
        self._told = self._live.interfaces()

    @property
    def name(self) -> TapName:
        return "live"

    def batches(self) -> Iterator[Batch]:
        """As those of every tap of the core; between them the interfaces are looked at."""
        look_at = time.monotonic()
        for batch in super().batches():
            yield batch
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_S
                self._look()
        self._look()

    def progress(self) -> tuple[int, int, str]:
        """Octets captured, no total, and in words how it goes."""
        interfaces = self._live.interfaces()
        mails = self._live.counters()["transactions"]
        names = ", ".join(each.name if each.state == "up" else f"{each.name} ({each.state})" for each in interfaces)
        frames = sum(each.frames for each in interfaces)
        dropped = sum(each.dropped for each in interfaces)
        return (
            sum(each.octets for each in interfaces),
            0,
            f"{names}: {frames:,} frames, {mails:,} mails" + (f", {dropped:,} DROPPED" if dropped else ""),
        )

    def interfaces(self) -> Sequence[InterfaceStatus]:
        """How each interface is, and what was read of it."""
        return self._live.interfaces()

    def damage(self) -> Sequence[DamageView]:
        return [lost for each in self._live.interfaces() for lost in _lost(each)]

    def _look(self) -> None:
        if self._watch is None:
            return
        before, self._told = self._told, self._live.interfaces()
        for was, now in zip(before, self._told, strict=True):
            if (was.state, was.problem, was.dropped, was.outages) != (now.state, now.problem, now.dropped, now.outages):
                self._watch(was, now)


def mail_ports() -> list[int]:
    """The TCP ports that the kernel lets through where no others are named."""
    return _core.mail_ports()


def _lost(status: InterfaceStatus) -> Iterator[Lost]:
    if status.dropped:
        yield Lost(
            status.name,
            "dropped",
            f"the kernel dropped {status.dropped:,} frames: the ring was full {status.freezes:,} times "
            "(ring_octets, workers)",
        )
    if status.outages:
        times = "once" if status.outages == 1 else f"{status.outages:,} times"
        yield Lost(status.name, "outage", f"it went down or away {times}")
