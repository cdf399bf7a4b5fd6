"""The relay as a source of mail: its loop runs on a thread of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sensor.inline import Judge
from sensor.log import Log
from sensor.model import InterestSpec, MissedWhy, TapName
from sensor.settings import Action, InlineSettings, RelaySettings
from sensor.taps.base import Batch, TapError
from sensor.taps.inline import InlineCore, InlineTap
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.observer import Observer
from sensor.taps.relay.server import RelayServer
from sensor.taps.relay.troubles import Troubles

SWITCH_INTERVAL_S = 0.0005
"""How long another thread may go on when the loop has something to do: half of the millisecond that mail may wait."""


class RelayTap(InlineTap):
    """
    Relays mail as *settings* say until stopped; then sessions end within ``drain_s``. Raises ``TapError`` for what
    can't be listened on, and why.
    """

    def __init__(
        self,
        settings: RelaySettings,
        interest: InterestSpec,
        *,
        judge: Judge,
        inline: InlineSettings,
        limits: Mapping[str, int] | None = None,
        log: Log | None = None,
        on_listening: Callable[[], None] = lambda: None,
    ) -> None:
        if not settings.next_hop:
            raise TapError("relay.next_hop: names nobody to pass mail on to")
        for rule in inline.rules:
            if rule.action == "quarantine":
                (log or Log()).warning("quarantine_defers", rule=rule.name, why="a relay has no hold queue")
        core = InlineCore(interest, limits=limits)
        super().__init__(core)
        self.counts = Counts()
        self._settings, self._judge = settings, judge
        judges = bool(inline.rules)
        observer = Observer(
            core,
            judge if judges else None,
            self.counts,
            fails_closed=inline.on_failure == "closed" and acts(inline),
            log=log,
        )
        self._server = RelayServer(
            settings,
            observer,
            self.counts,
            judges=judges,
            tag_name=judge.strips,
            log=log,
        )
        self._troubles = Troubles(self.counters, log or Log())
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stops = False
        self._on_listening = on_listening
        self.addresses = tuple(told(each.getsockname()) for each in self._server.sockets)

    def take_over(self) -> None:
        """From here on clients find this relay beside an earlier one; who comes before ``batches`` waits."""
        self._server.listen()

    def batches(self) -> Iterator[Batch]:
        """As those of every tap in line. They are what mail is served for: it begins here."""
        self.take_over()
        self._on_listening()
        self.run(self._serve)
        return super().batches()

    @property
    def name(self) -> TapName:
        return "relay"

    def stop(self) -> None:
        """Accept no more, and end when no mail is on its way. May be called from any thread, and more than once."""
        self._stops = True
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    def counters(self) -> Mapping[str, int]:
        """Those of the core, of the judge and of the relay, the latter two by names of their own."""
        verdicts = {f"inline_{name}": value for name, value in self._judge.counters().items()}
        own = {f"relay_{name}": value for name, value in self.counts.all().items()}
        return {**super().counters(), **verdicts, **own}

    def missed_counts(self) -> Mapping[MissedWhy, int]:
        """And sessions that the observer had to give up: at least the mail at hand is in no record."""
        counts = super().missed_counts()
        return {**counts, "unread": counts["unread"] + self.counts["observer_failures"]}

    def verdicts(self) -> Mapping[tuple[Action, str, bool], int]:
        """How many there were, by what a rule says, its name ("" for none), and whether it was only said."""
        return self._judge.counts()

    def _serve(self) -> None:
        # Mail waits while the analysis holds the interpreter: it is to give it up sooner than after 5 ms.
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
        with asyncio.Runner(loop_factory=loop_factory(self._settings.event_loop)) as runner:
            runner.run(self._relay())

    async def _relay(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._stops:
            self._stop.set()
        watch = self._loop.create_task(self._troubles.watch())
        await self._server.run(self._stop)
        watch.cancel()
        await asyncio.wait((watch,))
        self._judge.close()


def told(address: tuple[str, int]) -> str:
    """A socket's address as settings have it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def acts(inline: InlineSettings) -> bool:
    """True if a rule may do more than observe."""
    return not inline.dry_run and any(each.action != "observe" and not each.dry_run for each in inline.rules)


def loop_factory(use: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop: uvloop, where it may be used and is there."""
    if use == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        if use == "uvloop":
            raise
        return asyncio.new_event_loop
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]
