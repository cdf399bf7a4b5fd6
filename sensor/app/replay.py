"""Reads captures to their end: records, summary, alerts, report, and what is kept between runs."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from sensor.alert.alert import Alert
from sensor.alert.policy import Policy
from sensor.analysis import Analysis
from sensor.app.common import (
    INTERRUPTED,
    OWN_LIMITS,
    READ_NOTHING,
    READ_WHOLE,
    READ_WITH_DAMAGE,
    inferred_from,
    split_limits,
    table_in_force,
)
from sensor.app.console import Progress, check_outputs, print_text, progress_bar, records_to, stop_on_interrupt
from sensor.app.incident import report_page
from sensor.app.keeping import Keeper, once_only, open_keeper
from sensor.app.quiet import QuietTime
from sensor.app.retention import Retention
from sensor.classify import NONE, Organisation, Table
from sensor.database import DatabaseError
from sensor.detect import Runner, detectors, known_options
from sensor.ledger import Ledger, LedgerView
from sensor.log import Log, hiding, printable
from sensor.model import Direction, Forwarding
from sensor.pipeline import Pipeline
from sensor.privacy import CLEAR, Veil, veil_of
from sensor.settings import Settings, SettingsError, load_settings
from sensor.taps.base import Tap
from sensor.taps.files import Found

# Damage of these kinds means that a file gave nothing at all.
_NOTHING_READ = frozenset(("unreadable", "empty", "not_a_capture"))

# Alerts remembered for summary and report, some kilobytes each; all are told to the sink.
ALERTS_REMEMBERED = 10_000

# Captures named where all were counted before.
COUNTED_SHOWN = 5


class Sink(Protocol):
    """Where records are written."""

    def write(self, octets: bytes, /) -> object: ...


class AlertWriter(Protocol):
    """Told the alerts of each batch, in order; and at the start those that an earlier run has told and that fire."""

    def write(self, alerts: Iterable[Alert]) -> None: ...
    def remember(self, alerts: Iterable[Alert]) -> None: ...


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """
    What the command line asks of a replay. *events*, *alerts* and *report* are a path, ``-`` for standard output, or
    none. Without *sinks*, those of the settings are left alone.
    """

    paths: Sequence[str]
    events: str | None = None
    alerts: str | None = None
    alerts_format: str = "jsonl"
    sinks: bool = True
    report: str | None = None
    store: str | None = None
    once: bool = False
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    limits: Sequence[str] = ()
    json: bool = False
    quiet: bool = False

    @property
    def output_is_taken(self) -> bool:
        """True if standard output carries something else, so that the summary goes elsewhere."""
        return "-" in (self.events, self.alerts, self.report)


def replay(options: ReplayOptions, environment: Mapping[str, str]) -> int:
    """
    Read the captures, write what was asked for, print the summary, and return the exit status.

    Raises a ``UserError`` for what the caller must put right, ``OSError`` for what could not be written.
    """
    from sensor.taps.capture import CaptureTap, core_limits
    from sensor.taps.files import find_captures

    _check(options)
    _collect_seldom()
    settings = load_settings(
        options.settings_path,
        environment,
        known_limits=[*core_limits(), *OWN_LIMITS],
        known_detectors=known_options(),
        internal_domains=options.internal_domains,
        limit_options=options.limits,
    )
    table = table_in_force(settings, options.settings_path)
    found = find_captures(options.paths)
    outputs = {"--events": options.events, "--alerts": options.alerts, "--report": options.report}
    check_outputs({**outputs, "--store": options.store}, found.paths)
    core, own = split_limits(settings.limits, core_limits())
    veil = veil_of(settings.privacy, settings.organisation.internal_domains)
    with ExitStack() as opened:
        opened.enter_context(hiding(veil.log))
        keeper = None
        if options.store is not None:
            keeper = opened.enter_context(open_keeper(options.store, settings.privacy))
        paths = found.paths
        if keeper is not None:
            paths = once_only(keeper, found) if options.once else keeper.note_captures(paths)
        if not paths:
            _tell_nothing_left(found)
            return READ_WHOLE
        tap = CaptureTap(paths, table.interest, limits=core)
        # Opened before the reading, which may take hours: that a report can't be written is to be known at once.
        page = opened.enter_context(records_to(options.report, "--report"))
        run = run_tap(
            tap,
            settings,
            table=table,
            own_limits=own,
            veil=veil,
            sink=opened.enter_context(records_to(options.events)),
            tell=alert_writer(
                options.alerts,
                settings,
                environment,
                opened,
                form=options.alerts_format,
                append=options.store is not None,
                sinks=options.sinks,
            ),
            keeper=keeper,
            progress=opened.enter_context(progress_bar(quiet=options.quiet)),
            infers_domains=True,
        )
        if page is not None:
            page.write(report_page(run, tap, settings, found, paths, continued=keeper is not None))
    if options.quiet:
        _log_problems(Log(), tap, found.problems)
    else:
        print_summary(run, tap, settings, found, as_json=options.json, to_stderr=options.output_is_taken)
    if run.not_kept is not None:
        print_text(f"mailsensor: {printable(run.not_kept)}\n", to_stderr=True)
    return exit_status(run, tap, len(paths), bool(found.problems))


def _tell_nothing_left(found: Found) -> None:
    lines = [*found.counted_before[:COUNTED_SHOWN], "every capture was counted before; nothing is left to read"]
    more = len(found.counted_before) - COUNTED_SHOWN
    if more > 0:
        lines.insert(COUNTED_SHOWN, f"and {more:,} more captures before")
    print_text("".join(f"mailsensor: {printable(each)}\n" for each in lines), to_stderr=True)


def _collect_seldom() -> None:
    """
    Let Python look for cycles seldom: what a replay makes is freed by counting, and what it keeps (accounts, memory of
    pairs) are many objects that each look would walk over. It saves an eighth of the time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _check(options: ReplayOptions) -> None:
    if options.once and options.store is None:
        raise SettingsError("--once: needs --store FILE, which knows the captures that were counted")


@dataclass(frozen=True, slots=True)
class Run:
    """
    A tap read to its end. ``alerts`` are as they were last told, the first ones first. ``states_lost`` counts what
    could not be read of earlier runs, ``not_kept`` says why this one was not kept, where it was to be.
    """

    analysis: Analysis
    interrupted: bool
    veil: Veil = CLEAR
    inferred_domains: tuple[str, ...] = ()
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    alerts_dropped: int = 0
    states_lost: int = 0
    not_kept: str | None = None

    @property
    def ledger(self) -> LedgerView:
        """Who forwards, under the names that may be told."""
        return self.veil.ledger(self.pipeline.ledger)

    @property
    def pipeline(self) -> Pipeline:
        return self.analysis.pipeline


def run_tap(
    tap: Tap,
    settings: Settings,
    *,
    table: Table | None = None,
    own_limits: Mapping[str, int] | None = None,
    veil: Veil | None = None,
    sink: Sink | None = None,
    tell: AlertWriter | None = None,
    keeper: Keeper | None = None,
    progress: Progress | None = None,
    infers_domains: bool = False,
    is_endless: bool = False,
) -> Run:
    """
    Take every batch of *tap* through the analysis: records to *sink*, alerts to *tell*, states from and to *keeper*.

    Ctrl-C ends the reading, not the run; what was read in part is not kept, since the rest could then never be counted.
    Of a tap that *is_endless* that is the end, and what came until then is kept as it comes.
    What is told is told by *veil* or, without one, as the settings ask for it.
    With *infers_domains*, and where the settings name no domain, ours are worked out from the first mails.
    """
    blocks, alerts, quiet = ForwardingBlocks(), _Told(tell), QuietTime() if is_endless else None
    keeping = _Keeping(keeper, settings, alerts, is_endless=is_endless)
    veil = veil or veil_of(settings.privacy, settings.organisation.internal_domains)
    with hiding(veil.log), stop_on_interrupt(tap.stop) as interrupted:
        domains, batches = settings.organisation.internal_domains, tap.batches()
        inferred: tuple[str, ...] = ()
        if infers_domains and not domains:
            # What was taken for ours before stays ours: the first mails of another day may tell less.
            inferred = keeper.internal_domains() if keeper is not None else ()
            if not inferred:
                inferred, batches = inferred_from(batches, tap.transaction_type)
        organisation = Organisation(domains or inferred, settings.organisation.internal_networks)
        analysis = analysis_of(tap, settings, organisation, table=table, own_limits=own_limits, veil=veil)
        states_lost = keeping.begin(analysis)
        for batch in batches:
            step = analysis.take(batch.tally(classify_all=analysis.pipeline.classifies_all))
            if sink is not None and len(batch):
                lines = batch.to_json_lines(
                    blocks.encode(step.forwardings), blocks.none, sensor=settings.sensor.name, tap=tap.name
                )
                sink.write(veil.lines(lines))
            alerts.take(step.alerts)
            alerts.take(_as_time_passes(analysis, quiet, mails=len(batch)))
            keeping.checkpoint(analysis)
            if progress is not None:
                progress.update(*tap.progress())
        alerts.take(analysis.finish())
        not_kept = keeping.end(analysis, interrupted=interrupted.is_set())
    return Run(analysis, interrupted.is_set(), veil, inferred, alerts.latest, alerts.dropped, states_lost, not_kept)


def _as_time_passes(analysis: Analysis, quiet: QuietTime | None, *, mails: int) -> Sequence[Alert]:
    """What waited until now for its turn, where mail is seen as it passes and none came in the latest batch."""
    if quiet is None:
        return ()
    if mails:
        quiet.mail(analysis.runner.clock_ms)
        return ()
    at_ms = quiet.passed()
    return () if at_ms is None else analysis.wake(at_ms).alerts


class _Keeping:
    """
    What a run takes from *keeper*, if there is one, and leaves in it: of a tap that *is_endless* as it comes, of others
    at the end, and nothing where they were interrupted.
    """

    def __init__(self, keeper: Keeper | None, settings: Settings, alerts: _Told, *, is_endless: bool) -> None:
        self._keeper, self._settings, self._alerts, self._is_endless = keeper, settings, alerts, is_endless
        self._retention = Retention(settings.store.keep_days)
        self._due_s = time.monotonic() + settings.store.checkpoint_s

    def begin(self, analysis: Analysis) -> int:
        """Go on from what was kept; the number of states that could not be read."""
        if self._keeper is None:
            return 0
        lost = self._keeper.restore(analysis)
        if self._keeper.tells_anew:
            self._alerts.note(analysis.policy.alerts())
        if self._alerts.tell is not None:
            self._alerts.tell.remember(analysis.policy.alerts())
        return lost

    def checkpoint(self, analysis: Analysis) -> None:
        """Keep what came so far, if that is due; what the disk refuses is held for the next time, and told."""
        if self._keeper is None or not self._is_endless or time.monotonic() < self._due_s:
            return
        problem = self._keep(self._keeper, analysis)
        if problem is not None:
            Log().error("not_saved", why=problem)
        self._due_s = time.monotonic() + self._settings.store.checkpoint_s

    def end(self, analysis: Analysis, *, interrupted: bool) -> str | None:
        """Keep the run; in words why not, since there is a summary to print all the same."""
        if self._keeper is None:
            return None
        if interrupted and not self._is_endless:
            so = "so that its captures can still be counted whole"
            return f"{self._keeper.path}: nothing was kept of an interrupted run, {so}"
        problem = self._keep(self._keeper, analysis)
        return None if problem is None else f"{problem}; nothing of this run was kept"

    def _keep(self, keeper: Keeper, analysis: Analysis) -> str | None:
        try:
            keeper.keep(analysis, self._alerts.unsaved(), sensor=self._settings.sensor.name)
            first_day = self._retention.due()
            if first_day is not None:
                keeper.expire(analysis, first_day)
        except DatabaseError as error:
            return str(error)
        return None


def analysis_of(
    tap: Tap,
    settings: Settings,
    organisation: Organisation,
    *,
    table: Table | None = None,
    own_limits: Mapping[str, int] | None = None,
    veil: Veil = CLEAR,
) -> Analysis:
    """Pipeline, detectors and policy as the settings have them."""
    pipeline = Pipeline(
        organisation,
        Ledger(watches=organisation.owns if organisation.known else None, limits=own_limits),
        transaction_type=tap.transaction_type,
        session_type=tap.session_type,
        table=table,
        limits=own_limits,
    )
    return Analysis(pipeline, Runner(detectors(settings.detect), limits=own_limits), Policy(settings.alerts, veil))


@dataclass(slots=True)
class _Told:
    """Passes alerts on, and remembers each as it was last told."""

    tell: AlertWriter | None
    latest: dict[str, Alert] = field(default_factory=dict)
    dropped: int = 0
    _unsaved: dict[str, Alert] = field(default_factory=dict)

    def take(self, alerts: Sequence[Alert]) -> None:
        if alerts and self.tell is not None:
            self.tell.write(alerts)
        self.note(alerts)

    def note(self, alerts: Iterable[Alert]) -> None:
        """Remember alerts that nobody has to be told."""
        for alert in alerts:
            self.latest[alert.id] = self._unsaved[alert.id] = alert
        while len(self.latest) > ALERTS_REMEMBERED:
            oldest = next(iter(self.latest))
            del self.latest[oldest]
            self._unsaved.pop(oldest, None)
            self.dropped += 1

    def unsaved(self) -> Sequence[Alert]:
        """The alerts told since the last call, each as last told."""
        alerts = tuple(self._unsaved.values())
        self._unsaved.clear()
        return alerts


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
    130 for an interrupted run, 1 where no file gave anything or the run could not be kept, 3 where something was
    damaged or passed over, else 0.
    """
    if run.interrupted:
        return INTERRUPTED
    if run.not_kept is not None:
        return READ_NOTHING
    damage = tap.damage()
    nothing = {each.path for each in damage if each.kind in _NOTHING_READ}
    if len(nothing) >= files:
        return READ_NOTHING
    return READ_WITH_DAMAGE if damage or passed_over or run.states_lost else READ_WHOLE


def alert_writer(
    target: str | None,
    settings: Settings,
    environment: Mapping[str, str],
    opened: ExitStack,
    *,
    form: str,
    append: bool,
    sinks: bool = True,
) -> AlertWriter | None:
    """
    Tells whoever is to be told: the file of ``--alerts`` and, with *sinks*, those of the settings; none for nobody.

    With *append*, or a spool that knows what was delivered, alerts go behind those that stand in the file.
    """
    writers = _Writers()
    if target is not None:
        append = append or bool(settings.alerts.spool_dir)
        writers.write_to.append(opened.enter_context(_open_alert_writer(target, settings, form=form, append=append)))
    if settings.alerts.sinks and sinks:
        from sensor.alert.dispatch import open_sinks

        dispatch = opened.enter_context(open_sinks(settings.alerts, environment, sensor=settings.sensor.name))
        writers.write_to.append(dispatch.write)
        writers.remembered_by.append(dispatch.remember)
    return writers if writers.write_to else None


@dataclass(slots=True)
class _Writers:
    """Several as one."""

    write_to: list[Callable[[Iterable[Alert]], None]] = field(default_factory=list)
    remembered_by: list[Callable[[Iterable[Alert]], None]] = field(default_factory=list)

    def write(self, alerts: Iterable[Alert]) -> None:
        told = tuple(alerts)
        for write in self.write_to:
            write(told)

    def remember(self, alerts: Iterable[Alert]) -> None:
        told = tuple(alerts)
        for remember in self.remembered_by:
            remember(told)


@contextmanager
def _open_alert_writer(
    target: str, settings: Settings, *, form: str, append: bool
) -> Iterator[Callable[[Iterable[Alert]], None]]:
    """Writes alerts to *target* (a path, or ``-``) in *form*, behind those that are there if it is to *append*."""
    from sensor.alert.out import open_alerts

    with open_alerts(
        target, settings.alerts, form=form, sensor=settings.sensor.name, clock=time.monotonic, append=append
    ) as writer:
        yield writer.write


def _log_problems(log: Log, tap: Tap, passed_over: Sequence[str]) -> None:
    """Without a summary, what went wrong is told all the same."""
    for text in passed_over:
        log.warning("passed_over", what=text)
    for each in tap.damage():
        log.warning("damage", path=each.path, kind=each.kind, offset=each.offset, detail=each.detail)


def print_summary(run: Run, tap: Tap, settings: Settings, found: Found, *, as_json: bool, to_stderr: bool) -> None:
    """Print what the run came to, for people or as one JSON object."""
    from sensor.report.summary import summarise

    summary = summarise(
        run.ledger,
        run.pipeline.coverage,
        top_mailboxes=settings.replay.top_mailboxes,
        direction_known=bool(settings.organisation.internal_domains or run.inferred_domains),
        inferred_domains=run.veil.domains(run.inferred_domains),
        interrupted=run.interrupted,
        damage=tap.damage(),
        passed_over=found.problems,
        counted_before=found.counted_before,
        counters=tap.counters(),
        anomalies=tap.anomalies(),
        alerts=tuple(run.alerts.values()),
        alerts_dropped=run.alerts_dropped,
        policy=run.analysis.policy,
        now_ms=run.analysis.runner.clock_ms or 0,
        detector_failures=run.analysis.runner.failures,
        pairing=run.pipeline.pairing,
    )
    if as_json:
        text = msgspec.json.encode(summary).decode() + "\n"
    else:
        from sensor.report.terminal import render

        text = render(summary)
    print_text(text, to_stderr=to_stderr)
