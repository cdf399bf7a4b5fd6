"""Captures interfaces until told to stop: records and alerts as they come, then the summary."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, BinaryIO

from sensor.app.common import OWN_LIMITS, READ_NOTHING, READ_WHOLE, READ_WITH_DAMAGE, split_limits, table_in_force
from sensor.app.console import check_outputs, print_text, progress_bar, records_to
from sensor.app.keeping import open_keeper
from sensor.app.replay import alert_writer, print_summary, run_tap
from sensor.app.rights import Rights
from sensor.detect import known_options
from sensor.log import Log, hiding, printable
from sensor.privacy import veil_of
from sensor.settings import LiveSettings, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from sensor.taps.live import InterfaceStatus


@dataclass(frozen=True, slots=True)
class SniffOptions:
    """What the command line asks of a capture. *events* and *alerts* are a path, ``-`` for standard output, or none."""

    interfaces: Sequence[str] = ()
    ports: Sequence[int] = ()
    all_traffic: bool = False
    events: str | None = None
    alerts: str | None = None
    alerts_format: str = "jsonl"
    store: str | None = None
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    limits: Sequence[str] = ()
    json: bool = False
    quiet: bool = False


def sniff(options: SniffOptions, environment: Mapping[str, str]) -> int:
    """
    Capture until Ctrl-C or SIGTERM, print the summary, and return the exit status: 3 if mail may have passed unseen.

    Raises a ``UserError`` for what the caller must put right, ``OSError`` for what could not be written.
    """
    from sensor.taps.capture import core_limits
    from sensor.taps.files import Found
    from sensor.taps.live import LiveTap

    settings = load_settings(
        options.settings_path,
        environment,
        known_limits=[*core_limits(), *OWN_LIMITS],
        known_detectors=known_options(),
        internal_domains=options.internal_domains,
        limit_options=options.limits,
    )
    how, interfaces = _how(options, settings)
    table = table_in_force(settings, options.settings_path)
    core, own = split_limits(settings.limits, core_limits())
    log, veil = Log(), veil_of(settings.privacy, settings.organisation.internal_domains)
    rights = Rights(settings.run, log=log, stand_ins=(environment.get("SUDO_USER", ""), "nobody"))
    with ExitStack() as opened:
        opened.enter_context(hiding(veil.log))
        # Before anything is opened: what is told from here on, is told in full.
        opened.enter_context(terminate_as_interrupt())
        # Whoever calls it gets the files: they are opened as that user.
        keeper = None
        if options.store is not None:
            keeper = opened.enter_context(open_keeper(options.store, settings.privacy))
        sink = opened.enter_context(records_to(options.events))
        tell = alert_writer(
            options.alerts, settings, environment, opened, form=options.alerts_format, append=keeper is not None
        )
        rights.become()
        tap = LiveTap(
            interfaces,
            table.interest,
            settings=how,
            limits=core,
            reopens=settings.run.keep_net_raw or settings.run.stays_root,
            watch=lambda was, now: tell_change(log, was, now),
        )
        rights.sockets_are_open()
        if not options.quiet:
            log.info("capturing", interfaces=",".join(interfaces), ports=_ports_in_words(how))
        run = run_tap(
            tap,
            settings,
            table=table,
            own_limits=own,
            veil=veil,
            sink=None if sink is None else AtOnce(sink),
            tell=tell,
            keeper=keeper,
            progress=opened.enter_context(progress_bar(quiet=options.quiet)),
            is_endless=True,
        )
    if not options.quiet:
        # Nothing was broken off: Ctrl-C is how a capture ends.
        run = replace(run, interrupted=False)
        taken = "-" in (options.events, options.alerts)
        print_summary(run, tap, settings, Found(), as_json=options.json, to_stderr=taken)
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


class AtOnce:
    """Hands on what is written at once: who reads along sees each mail when it was sent."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, octets: bytes) -> int:
        written = self._sink.write(octets)
        self._sink.flush()
        return written


def _how(options: SniffOptions, settings: Settings) -> tuple[LiveSettings, Sequence[str]]:
    """The settings with what the command line says, and the interfaces."""
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
    how = settings.live
    if options.all_traffic:
        how = replace(how, ports=())
    elif options.ports:
        how = replace(how, ports=tuple(options.ports))
    return how, interfaces


def _ports_in_words(how: LiveSettings) -> str:
    from sensor.taps.live import mail_ports

    ports = mail_ports() if how.ports is None else how.ports
    return ",".join(map(str, ports)) or "all"


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """A service is stopped with SIGTERM: it means what Ctrl-C means."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
