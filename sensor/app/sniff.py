"""Captures interfaces until told to stop: records and alerts as they come, then the summary."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sensor.app.common import READ_NOTHING, READ_WHOLE, READ_WITH_DAMAGE
from sensor.app.console import check_outputs, print_text, progress_bar, records_to
from sensor.app.endless import AtOnce, EndlessOptions, alerts_to, print_end, run_endless, set_up, until_told
from sensor.app.keeping import open_keeper
from sensor.app.rights import Rights
from sensor.log import Log, printable
from sensor.settings import LiveSettings, Settings, SettingsError

if TYPE_CHECKING:
    from sensor.taps.live import InterfaceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SniffOptions(EndlessOptions):
    """What the command line asks of a capture: what to look at, and where to keep what runs come to."""

    interfaces: Sequence[str] = ()
    ports: Sequence[int] = ()
    all_traffic: bool = False
    store: str | None = None


def sniff(options: SniffOptions, environment: Mapping[str, str]) -> int:
    """
    Capture until Ctrl-C or SIGTERM, print the summary, and return the exit status: 3 if mail may have passed unseen.

    Raises a ``UserError`` for what the caller must put right, ``OSError`` for what could not be written.
    """
    from sensor.taps.live import LiveTap

    setup = set_up(options, environment, lambda settings: _with_options(options, settings))
    settings, how = setup.settings, setup.settings.live
    log = Log()
    rights = Rights(settings.run, log=log, stand_ins=(environment.get("SUDO_USER", ""), "nobody"))
    with until_told(setup) as opened:
        # Whoever calls it gets the files: they are opened as that user.
        keeper = None
        if options.store is not None:
            keeper = opened.enter_context(open_keeper(options.store, settings.privacy))
        sink = opened.enter_context(records_to(options.events))
        tell = alerts_to(options, setup, environment, opened, append=keeper is not None)
        rights.become()
        tap = LiveTap(
            how.interfaces,
            setup.table.interest,
            settings=how,
            limits=setup.core_limits,
            reopens=settings.run.keep_net_raw or settings.run.stays_root,
            watch=lambda was, now: tell_change(log, was, now),
        )
        rights.sockets_are_open()
        if not options.quiet:
            log.info("capturing", interfaces=",".join(how.interfaces), ports=_ports_in_words(how))
        run = run_endless(
            tap,
            setup,
            sink=None if sink is None else AtOnce(sink),
            tell=tell,
            keeper=keeper,
            progress=opened.enter_context(progress_bar(quiet=options.quiet)),
        )
    print_end(run, tap, setup, options, options.store)
    if run.not_kept is not None:
        print_text(f"mailsensor: {printable(run.not_kept)}\n", to_stderr=True)
        return READ_NOTHING
    return READ_WITH_DAMAGE if tap.damage() or run.states_lost else READ_WHOLE


_AWAY = {"down": "interface_down", "gone": "interface_gone"}


def tell_change(log: Log, was: InterfaceStatus, now: InterfaceStatus) -> None:
    """A line for each thing that happened to an interface."""
    if now.dropped > was.dropped:
        log.warning("frames_dropped", interface=now.name, dropped=now.dropped - was.dropped, in_all=now.dropped)
    if now.state == was.state and now.problem == was.problem and now.outages == was.outages:
        return
    if now.state == "up":
        log.info("interface_up", interface=now.name, outages=now.outages)
    elif now.problem is None:
        log.warning(_AWAY[now.state], interface=now.name)
    elif now.problem != was.problem:
        log.warning(_AWAY[now.state], interface=now.name, why=now.problem)


def _with_options(options: SniffOptions, settings: Settings) -> Settings:
    """The settings with what the command line says."""
    check_outputs({"--events": options.events, "--alerts": options.alerts, "--store": options.store})
    if options.ports and options.all_traffic:
        raise SettingsError("--port and --all-traffic: one or the other")
    interfaces = tuple(dict.fromkeys(options.interfaces)) or settings.live.interfaces
    if not interfaces:
        raise SettingsError("no interface is named: -i eth1, or live.interfaces in the settings file")
    # Found out here, before files are opened and thereby emptied.
    there = [name for _, name in socket.if_nameindex()]
    for name in interfaces:
        if name not in there:
            raise SettingsError(f"{name}: no such interface; there are: {', '.join(there)}")
    how = replace(settings.live, interfaces=interfaces)
    if options.all_traffic:
        how = replace(how, ports=())
    elif options.ports:
        how = replace(how, ports=tuple(options.ports))
    return replace(settings, live=how)


def _ports_in_words(how: LiveSettings) -> str:
    from sensor.taps.live import mail_ports

    ports = mail_ports() if how.ports is None else how.ports
    return ",".join(map(str, ports)) or "all"
