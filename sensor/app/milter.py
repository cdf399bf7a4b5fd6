"""Serves MTAs as a milter until told to stop: records and alerts as they come, then the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from sensor.app.common import OWN_LIMITS, READ_WHOLE, READ_WITH_DAMAGE, split_limits, table_in_force
from sensor.app.console import check_outputs, records_to
from sensor.app.replay import alert_writer, print_summary, run_tap
from sensor.app.sniff import AtOnce, terminate_as_interrupt
from sensor.classify import Organisation, Table
from sensor.detect import known_options
from sensor.inline.judge import Judge
from sensor.log import Log
from sensor.settings import Settings, SettingsError, load_settings
from sensor.settings.milter import addresses
from sensor.taps.inline import InlineCore
from sensor.taps.milter.tap import MilterTap


@dataclass(frozen=True, slots=True)
class MilterOptions:
    """What the command line asks of a milter. *events* and *alerts* are a path, ``-`` for standard output, or none."""

    listen: Sequence[str] = ()
    events: str | None = None
    alerts: str | None = None
    alerts_format: str = "jsonl"
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    limits: Sequence[str] = ()
    json: bool = False
    quiet: bool = False


def milter(options: MilterOptions, environment: Mapping[str, str]) -> int:
    """
    Serve until Ctrl-C or SIGTERM, print the summary, and return the exit status: 3 if mail passed unseen.

    Raises a ``UserError`` for what the caller must put right, ``OSError`` for what could not be written.
    """
    from sensor.taps.capture import core_limits
    from sensor.taps.files import Found

    settings = load_settings(
        options.settings_path,
        environment,
        known_limits=[*core_limits(), *OWN_LIMITS],
        known_detectors=known_options(),
        internal_domains=options.internal_domains,
        limit_options=options.limits,
    )
    settings = _with_addresses(options, settings)
    table = table_in_force(settings, options.settings_path)
    core, own = split_limits(settings.limits, core_limits())
    log = Log(level="warning" if options.quiet else "info")
    with ExitStack() as opened:
        # Before anything is opened: what is told from here on, is told in full.
        opened.enter_context(terminate_as_interrupt())
        sink = opened.enter_context(records_to(options.events))
        tap = open_milter(settings, table, core, log)
        opened.callback(tap.discard)
        opened.callback(tap.stop)
        run = run_tap(
            tap,
            settings,
            table=table,
            own_limits=own,
            sink=None if sink is None else AtOnce(sink),
            tell=alert_writer(options.alerts, settings, environment, opened, form=options.alerts_format, append=False),
        )
    if not options.quiet:
        # Nothing was broken off: Ctrl-C is how a milter ends.
        run = replace(run, interrupted=False)
        taken = "-" in (options.events, options.alerts)
        print_summary(run, tap, settings, Found(), as_json=options.json, to_stderr=taken)
    return READ_WITH_DAMAGE if tap.damage() else READ_WHOLE


def open_milter(settings: Settings, table: Table, core_limits: Mapping[str, int], log: Log) -> MilterTap:
    """The tap as the settings have it, with the judge that they ask for. Raises ``TapError``."""
    ours = settings.organisation
    judge = Judge(table, Organisation(ours.internal_domains, ours.internal_networks), settings.inline, log=log)
    try:
        return MilterTap(
            settings.milter,
            InlineCore(table.interest, limits=core_limits),
            judge,
            own_field=judge.strips,
            fails_open=settings.inline.on_failure == "open",
            log=log,
            close=judge.close,
        )
    except BaseException:
        judge.close()
        raise


def _with_addresses(options: MilterOptions, settings: Settings) -> Settings:
    """The settings with what the command line says."""
    check_outputs({"--events": options.events, "--alerts": options.alerts})
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
