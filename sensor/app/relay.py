"""Relays mail until told to stop: records and alerts as they come, then the summary."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from sensor.app.common import READ_WHOLE, READ_WITH_DAMAGE, organisation_of
from sensor.app.console import records_to
from sensor.app.endless import (
    AtOnce,
    EndlessOptions,
    alerts_to,
    open_in_turn,
    print_end,
    run_endless,
    set_up,
    tell_rights,
    until_told,
)
from sensor.app.reading import Sink
from sensor.app.rights import Rights
from sensor.classify import Table
from sensor.inline.judge import Judge
from sensor.log import Log
from sensor.settings import RelaySettings, Settings, SettingsError
from sensor.settings.checks import Check
from sensor.settings.checks import listen as check_listen
from sensor.settings.relay import next_hop as check_next_hop
from sensor.taps.relay.tap import RelayTap


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions(EndlessOptions):
    """What the command line asks of a relay: ends in place of those of the settings."""

    listen: str | None = None
    next_hop: str | None = None


def relay(options: RelayOptions, environment: Mapping[str, str]) -> int:
    """
    Relay until Ctrl-C or SIGTERM, print the summary, and return the exit status: 3 if records could not be written.

    Raises a ``UserError`` for what the caller must put right, ``OSError`` for what could not be written.
    """
    setup = set_up(options, environment, lambda settings: replace(settings, relay=_ends(options, settings.relay)))
    log = Log()
    rights = Rights(setup.settings.run, log=Log(level="warning" if options.quiet else "info"), captures=False)
    with until_told(setup) as opened:

        def open_tap() -> RelayTap:
            tap = open_relay(setup.settings, setup.table, setup.core_limits, log, tells=not options.quiet)
            opened.callback(tap.stop)
            return tap

        records = opened.enter_context(records_if_possible(options.events, log))
        tap, tell = open_in_turn(rights, open_tap, lambda: alerts_to(options, setup, environment, opened))
        tell_rights(rights)
        run = run_endless(tap, setup, sink=records, tell=tell)
    print_end(run, tap, setup, options)
    return READ_WITH_DAMAGE if records is not None and records.failures else READ_WHOLE


TELL_EVERY_S = 60.0
"""Records that can't be written are told of so often, with their number."""


class IfPossible:
    """Writes records while that can be done: mail goes on when the disk is full. ``failures`` counts lost batches."""

    def __init__(self, sink: Sink, log: Log) -> None:
        self.failures = 0
        self._sink, self._log = sink, log
        self._told_at_s: float | None = None

    def write(self, octets: bytes) -> None:
        try:
            self._sink.write(octets)
        except OSError as error:
            self.failures += 1
            now_s = time.monotonic()
            if self._told_at_s is None or now_s - self._told_at_s >= TELL_EVERY_S:
                self._told_at_s = now_s
                self._log.error("records_lost", batches=self.failures, why=error.strerror)


@contextmanager
def records_if_possible(target: str | None, log: Log) -> Iterator[IfPossible | None]:
    """Where records go, opened. What can't be written when it is closed was told before."""
    opened = ExitStack()
    sink = opened.enter_context(records_to(target))
    try:
        yield None if sink is None else IfPossible(AtOnce(sink), log)
    finally:
        with suppress(OSError):
            opened.close()


def open_relay(
    settings: Settings,
    table: Table,
    core_limits: Mapping[str, int],
    log: Log,
    *,
    at_most_s: float | None = None,
    tells: bool = True,
) -> RelayTap:
    """
    The tap as the settings have it, with the judge that they ask for; it drains no longer than *at_most_s*, and *tells*
    when it listens. Raises ``TapError``.
    """
    how = settings.relay
    if at_most_s is not None:
        how = replace(how, drain_s=min(how.drain_s, at_most_s))
    judge = Judge(table, organisation_of(settings), settings.inline, log=log)

    def on_listening() -> None:
        if tells:
            log.info("listening", at=",".join(tap.addresses), next_hop=how.next_hop)

    try:
        tap = RelayTap(
            how,
            table.interest,
            judge=judge,
            inline=settings.inline,
            limits=core_limits,
            log=log,
            on_listening=on_listening,
        )
    except BaseException:
        judge.close()
        raise
    return tap


def _ends(options: RelayOptions, settings: RelaySettings) -> RelaySettings:
    """The settings with what the command line says."""
    listen = _checked("--listen", options.listen, check_listen) or settings.listen
    next_hop = _checked("--next-hop", options.next_hop, check_next_hop) or settings.next_hop
    if not listen or not next_hop:
        raise SettingsError(
            "a relay has two ends: --listen 0.0.0.0:25 --next-hop 192.0.2.25:25, or relay.listen and relay.next_hop in "
            "the settings file"
        )
    return replace(settings, listen=listen, next_hop=next_hop)


def _checked(option: str, value: str | None, check: Check) -> str:
    try:
        return "" if value is None else str(check(value))
    except ValueError as error:
        raise SettingsError(f"{option} {error}; it is {value!r}") from None
