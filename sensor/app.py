"""The one place that builds the parts and joins them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import BinaryIO, Protocol

import msgspec

from sensor.classify import NONE, Organisation, builtin_table
from sensor.ledger import LIMITS as LEDGER_LIMITS
from sensor.ledger import Ledger
from sensor.log import Log
from sensor.model import Direction, Forwarding
from sensor.pipeline import Pipeline
from sensor.settings import Limit, Settings, SettingsError, load_settings
from sensor.taps.base import Tap, TapError

READ_WHOLE, READ_NOTHING, READ_WITH_DAMAGE, INTERRUPTED = 0, 1, 3, 130
USER_ERRORS = (SettingsError, TapError)
"""What the caller of the command line can put right."""

# Damage of these kinds means that a file gave nothing at all.
_NOTHING_READ = frozenset(("unreadable", "empty", "not_a_capture"))


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the command line asks of a replay. *events* is a path, ``-`` for standard output, or none."""

    paths: Sequence[str]
    events: str | None = None
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    limits: Sequence[str] = ()
    json: bool = False
    quiet: bool = False


class Progress(Protocol):
    """Told how far a tap has come."""

    def update(self, done: int, total: int, path: str) -> None: ...


def replay(options: ReplayOptions, environment: Mapping[str, str]) -> int:
    """
    Read the captures, write records if asked to, print the summary, and return the exit status.

    Raises ``SettingsError`` and ``TapError`` for what the caller must put right, ``OSError`` for records not written.
    """
    from sensor.taps.capture import CaptureTap, core_limits
    from sensor.taps.files import find_captures

    settings = load_settings(
        options.settings_path,
        environment,
        known_limits=[*core_limits(), *LEDGER_LIMITS],
        internal_domains=options.internal_domains,
        limit_options=options.limits,
    )
    found = find_captures(options.paths)
    core, own = _split_limits(settings.limits, core_limits())
    tap = CaptureTap(found.paths, builtin_table().interest, limits=core)
    with _records(options.events) as sink, _progress(quiet=options.quiet) as progress:
        run = run_tap(tap, settings, own_limits=own, sink=sink, progress=progress)
    if options.quiet:
        _log_problems(Log(), tap, found.problems)
    else:
        _print_summary(run, tap, settings, found.problems, as_json=options.json, to_stderr=options.events == "-")
    return exit_status(run, tap, len(found.paths), bool(found.problems))


@dataclass(frozen=True, slots=True)
class Run:
    """A tap read to its end."""

    pipeline: Pipeline
    interrupted: bool


def run_tap(
    tap: Tap,
    settings: Settings,
    *,
    own_limits: Mapping[str, int] | None = None,
    sink: BinaryIO | None = None,
    progress: Progress | None = None,
) -> Run:
    """Take every batch of *tap* through the pipeline, its records to *sink*. Ctrl-C ends the reading, not the run."""
    organisation = Organisation(settings.organisation.internal_domains, settings.organisation.internal_networks)
    ledger = Ledger(watches=organisation.owns if organisation.known else None, limits=own_limits)
    pipeline = Pipeline(organisation, ledger, transaction_type=tap.transaction_type, session_type=tap.session_type)
    blocks = ForwardingBlocks()
    with _stop_on_interrupt(tap.stop) as interrupted:
        for batch in tap.batches():
            verdicts = pipeline.take(batch.tally(classify_all=pipeline.classifies_all))
            if sink is not None and len(batch):
                sink.write(
                    batch.to_json_lines(
                        blocks.encode(verdicts.forwardings), blocks.none, sensor=settings.sensor.name, tap=tap.name
                    )
                )
            if progress is not None:
                progress.update(*tap.progress())
    return Run(pipeline, interrupted.is_set())


class ForwardingBlocks:
    """Prints ``forwarding`` blocks as JSON. Those of ordinary mail differ by direction only and are printed once."""

    def __init__(self) -> None:
        self.none = msgspec.json.encode(NONE)
        self._plain: dict[Direction, bytes] = {}
        self._encode = msgspec.json.Encoder().encode

    def encode(self, forwardings: Mapping[int, Forwarding]) -> dict[int, bytes]:
        return {index: self._block(forwarding) for index, forwarding in forwardings.items()}

    def _block(self, forwarding: Forwarding) -> bytes:
        if forwarding.artifacts or forwarding.look_alike is not None:
            return self._encode(forwarding)
        block = self._plain.get(forwarding.direction)
        if block is None:
            block = self._plain[forwarding.direction] = self._encode(forwarding)
        return block


def exit_status(run: Run, tap: Tap, files: int, passed_over: bool) -> int:
    """
    130 for an interrupted run, 1 where no file gave anything, 3 where something was damaged or passed over, else 0.
    """
    if run.interrupted:
        return INTERRUPTED
    damage = tap.damage()
    nothing = {each.path for each in damage if each.kind in _NOTHING_READ}
    if len(nothing) >= files:
        return READ_NOTHING
    return READ_WITH_DAMAGE if damage or passed_over else READ_WHOLE


def show_artifacts() -> int:
    """Print the artifact table in force."""
    from sensor.report.artifacts import render_artifacts

    sys.stdout.write(render_artifacts(builtin_table()))
    return READ_WHOLE


def _log_problems(log: Log, tap: Tap, passed_over: Sequence[str]) -> None:
    """Without a summary, what went wrong is told all the same."""
    for text in passed_over:
        log.warning("passed_over", what=text)
    for each in tap.damage():
        log.warning("damage", path=each.path, kind=each.kind, offset=each.offset, detail=each.detail)


def _split_limits(limits: Mapping[str, int], core: Sequence[Limit]) -> tuple[dict[str, int], dict[str, int]]:
    """The core's limits and our own."""
    names = {name for name, _, _ in core}
    ours = {name: value for name, value in limits.items() if name not in names}
    return {name: value for name, value in limits.items() if name in names}, ours


def _print_summary(
    run: Run, tap: Tap, settings: Settings, passed_over: Sequence[str], *, as_json: bool, to_stderr: bool
) -> None:
    from sensor.report.summary import summarise

    summary = summarise(
        run.pipeline.ledger,
        run.pipeline.coverage,
        top_mailboxes=settings.replay.top_mailboxes,
        direction_known=bool(settings.organisation.internal_domains),
        interrupted=run.interrupted,
        damage=tap.damage(),
        passed_over=passed_over,
        counters=tap.counters(),
        anomalies=tap.anomalies(),
    )
    if as_json:
        text = msgspec.json.encode(summary).decode() + "\n"
    else:
        from sensor.report.terminal import render

        text = render(summary)
    out = sys.stderr if to_stderr else sys.stdout
    # A terminal or pipe in an old encoding gets what it can show, never an error.
    out.buffer.write(text.encode(out.encoding or "utf-8", "backslashreplace"))
    out.flush()


# ---- around the run: records, progress, Ctrl-C


@contextmanager
def _records(target: str | None) -> Iterator[BinaryIO | None]:
    """Where records go: a file, standard output, or nowhere."""
    if target is None:
        yield None
    elif target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        try:
            file = open(target, "wb")  # noqa: SIM115 - closed by the with below; only its opening is ours to explain
        except OSError as error:
            raise TapError(f"--events {target}: can't be written: {error.strerror}") from None
        with file:
            yield file


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """A bar on standard error if somebody is there to look at it."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from sensor.report.progress import Bar

    with Bar(sys.stderr) as bar:
        yield bar


@contextmanager
def _stop_on_interrupt(stop: Callable[[], None]) -> Iterator[threading.Event]:
    """
    Make the first Ctrl-C call *stop*, so that it never breaks into the middle of a batch; a second one ends at once.

    Outside the main thread signals can't be taken, and the event stays unset.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
