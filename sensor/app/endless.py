"""What the commands share that go on until they are told to stop: options, what these come to, the run and its end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import BinaryIO, TypeVar

from sensor.app.common import collect_seldom, settings_of, split_limits, table_in_force
from sensor.app.console import Progress, check_outputs
from sensor.app.keeping import Keeper
from sensor.app.reading import AlertWriter, Run, Sink, run_tap
from sensor.app.rights import Rights
from sensor.app.telling import alert_writer, alerts_kept_in, print_summary
from sensor.classify import Table
from sensor.log import hiding
from sensor.privacy import Veil, veil_of
from sensor.settings import Settings, SettingsError
from sensor.settings.run import account
from sensor.taps.base import Tap
from sensor.taps.files import Found

TapT = TypeVar("TapT", bound=Tap)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndlessOptions:
    """
    What each of them can be asked. *events* and *alerts* are a path, ``-`` for standard output, or none. *user* is whom
    a process of root becomes, in place of ``run.user``.
    """

    events: str | None = None
    alerts: str | None = None
    alerts_format: str = "jsonl"
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    limits: Sequence[str] = ()
    user: str | None = None
    json: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """What options come to: the settings in force, and what is made of them."""

    settings: Settings
    table: Table
    core_limits: Mapping[str, int]
    own_limits: Mapping[str, int]
    veil: Veil


def set_up(
    options: EndlessOptions, environment: Mapping[str, str], with_options: Callable[[Settings], Settings]
) -> Setup:
    """
    The settings file with what the command line says; *with_options* adds what the command has of its own.

    Raises ``UserError``.
    """
    from sensor.taps.capture import core_limits

    collect_seldom()
    check_outputs({"--events": options.events, "--alerts": options.alerts})
    settings = with_options(settings_of(options.settings_path, environment, options.internal_domains, options.limits))
    if options.user is not None:
        settings = replace(settings, run=replace(settings.run, user=_user(options.user)))
    return Setup(
        settings,
        table_in_force(settings, options.settings_path),
        *split_limits(settings.limits, core_limits()),
        # Its keys are read here: later the right to read them may be gone.
        veil_of(settings.privacy, settings.organisation.internal_domains),
    )


def _user(name: str) -> str:
    try:
        return account(name)
    except ValueError as error:
        raise SettingsError(f"--user {name}: {error}") from None


@contextmanager
def until_told(setup: Setup) -> Iterator[ExitStack]:
    """For what is opened meanwhile. SIGTERM means what Ctrl-C means, and logs tell what the settings let them."""
    with ExitStack() as opened:
        # First of all: what is logged from here on tells no more than the settings let it.
        opened.enter_context(hiding(setup.veil.log))
        opened.enter_context(_terminate_as_interrupt())
        yield opened


def alerts_to(
    options: EndlessOptions, setup: Setup, environment: Mapping[str, str], opened: ExitStack, *, append: bool = False
) -> AlertWriter | None:
    """Who is told of alerts: the file of ``--alerts``, behind what it holds where told to *append*, and the sinks."""
    return alert_writer(options.alerts, setup.settings, environment, opened, form=options.alerts_format, append=append)


def open_in_turn(
    rights: Rights, open_tap: Callable[[], TapT], open_alerts: Callable[[], AlertWriter | None]
) -> tuple[TapT, AlertWriter | None]:
    """
    The tap, its sockets open, and who is told of alerts; the rights that it took are gone.

    Files of alerts are the caller's, as those of records: root opens them before it becomes somebody else, and all
    threads do. Others open them behind the sockets: sinks have a thread, which would keep a right that it began with.
    """
    tell = open_alerts() if rights.began_as_root else None
    rights.become()
    tap = open_tap()
    rights.sockets_are_open()
    return tap, tell if rights.began_as_root else open_alerts()


def tell_rights(rights: Rights) -> None:
    """
    Whom root became, once all threads are seen to be it, or that nobody was named; not what was asked for, and nothing
    of a process that was nobody from the start.
    """
    if rights.began_as_root and not rights.stays_as_asked:
        rights.check()
        rights.tell()


def run_endless(
    tap: Tap,
    setup: Setup,
    *,
    sink: Sink | None,
    tell: AlertWriter | None,
    keeper: Keeper | None = None,
    progress: Progress | None = None,
) -> Run:
    """
    Take what *tap* gives until the process is told to stop. Packet time goes on where no mail comes: an alert of the
    night does not wait for the morning's mail.
    """
    run = run_tap(
        tap,
        setup.settings,
        table=setup.table,
        own_limits=setup.own_limits,
        veil=setup.veil,
        sink=sink,
        tell=tell,
        keeper=keeper,
        progress=progress,
        is_endless=True,
    )
    # Nothing was broken off: Ctrl-C is how it ends.
    return replace(run, interrupted=False)


def print_end(run: Run, tap: Tap, setup: Setup, options: EndlessOptions, store: str | None = None) -> None:
    """Print the summary, if one is wanted: to standard error where standard output has carried something else."""
    if not options.quiet:
        taken = "-" in (options.events, options.alerts)
        print_summary(
            run,
            tap,
            setup.settings,
            Found(),
            as_json=options.json,
            to_stderr=taken,
            alerts_in=alerts_kept_in(run, setup.settings, options.alerts, options.alerts_format, store),
        )


class AtOnce:
    """Hands on what is written at once: who reads along sees each mail when it was sent."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, octets: bytes) -> int:
        written = self._sink.write(octets)
        self._sink.flush()
        return written


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """A service is stopped with SIGTERM: it means what Ctrl-C means."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
