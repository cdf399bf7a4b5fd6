"""Serves MTAs as a milter until told to stop: records and alerts as they come, then the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from sensor.app.rights import Rights
from sensor.classify import Table
from sensor.inline.judge import Judge
from sensor.log import Log
from sensor.settings import Settings, SettingsError
from sensor.settings.milter import addresses
from sensor.taps.inline import InlineCore
from sensor.taps.milter.tap import MilterTap


@dataclass(frozen=True, slots=True, kw_only=True)
class MilterOptions(EndlessOptions):
    """What the command line asks of a milter: addresses in place of those of the settings."""

    listen: Sequence[str] = ()


def milter(options: MilterOptions, environment: Mapping[str, str]) -> int:
    """
    Serve until Ctrl-C or SIGTERM, print the summary, and return the exit status: 3 if mail passed unseen.

    Raises a ``UserError`` for what the caller must put right, ``OSError`` for what could not be written.
    """
    setup = set_up(options, environment, lambda settings: _with_addresses(options, settings))
    log = Log(level="warning" if options.quiet else "info")
    rights = Rights(setup.settings.run, log=log, captures=False)
    with until_told(setup) as opened:

        def open_tap() -> MilterTap:
            tap = open_milter(setup.settings, setup.table, setup.core_limits, setup.own_limits, log)
            opened.callback(tap.discard)
            opened.callback(tap.stop)
            return tap

        sink = opened.enter_context(records_to(options.events))
        tap, tell = open_in_turn(rights, open_tap, lambda: alerts_to(options, setup, environment, opened))
        tell_rights(rights)
        run = run_endless(tap, setup, sink=None if sink is None else AtOnce(sink), tell=tell)
    print_end(run, tap, setup, options)
    return READ_WITH_DAMAGE if tap.damage() else READ_WHOLE


def open_milter(
    settings: Settings, table: Table, core_limits: Mapping[str, int], own_limits: Mapping[str, int], log: Log
) -> MilterTap:
    """The tap as the settings have it, with the judge that they ask for. Raises ``TapError``."""
    judge = Judge(table, organisation_of(settings), settings.inline, log=log)
    try:
        return MilterTap(
            settings.milter,
            InlineCore(table.interest, limits=core_limits),
            judge,
            own_field=judge.strips,
            fails_open=settings.inline.on_failure == "open",
            limits=own_limits,
            log=log,
            close=judge.close,
        )
    except BaseException:
        judge.close()
        raise


def _with_addresses(options: MilterOptions, settings: Settings) -> Settings:
    """The settings with what the command line says."""
    if not options.listen:
        if settings.milter.listen:
            return settings
        raise SettingsError(
            "no address is named: --listen unix:/run/mailsensor/milter.sock, or milter.listen in the settings file"
        )
    try:
        listen = addresses(list(options.listen))
    except ValueError as error:
        raise SettingsError(f"--listen {error}") from None
    return replace(settings, milter=replace(settings.milter, listen=listen))
