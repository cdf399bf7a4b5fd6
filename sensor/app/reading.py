"""A tap read to its end: each batch through the analysis, records and alerts to where they are to go."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from sensor.alert.alert import Alert
from sensor.alert.policy import Policy
from sensor.analysis import Analysis
from sensor.app.common import inferred_from, organisation_of, pipeline_for
from sensor.app.console import Progress, stop_on_interrupt
from sensor.app.keeping import Keeper
from sensor.app.quiet import QuietTime
from sensor.app.retention import Retention
from sensor.classify import NONE, Organisation, Table
from sensor.database import DatabaseError
from sensor.detect import Runner, detectors
from sensor.ledger import LedgerView
from sensor.log import Log, hiding
from sensor.model import Direction, Forwarding
from sensor.pipeline import Pipeline
from sensor.privacy import CLEAR, Veil, veil_of
from sensor.settings import Settings
from sensor.taps.base import Batch, Tap

# Alerts remembered for summary and report, some kilobytes each; all are told to the sink.
ALERTS_REMEMBERED = 10_000


class Sink(Protocol):
    """Where records are written."""

    def write(self, octets: bytes, /) -> object: ...


class AlertWriter(Protocol):
    """
    Told the alerts of each batch, in order; and at the start those that an earlier run has told and that fire.

    ``lost`` counts alerts that did not reach somebody who was to be told, and that nothing keeps: known at the end.
    """

    def write(self, alerts: Iterable[Alert]) -> None: ...
    def remember(self, alerts: Iterable[Alert]) -> None: ...
    def lost(self) -> int: ...


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
        inferred, batches = _inferred(tap, settings, keeper) if infers_domains else ((), tap.batches())
        organisation = organisation_of(settings, inferred)
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


def _inferred(tap: Tap, settings: Settings, keeper: Keeper | None) -> tuple[tuple[str, ...], Iterator[Batch]]:
    """The domains that are taken for ours, none where the settings name some; and all batches of *tap*."""
    if settings.organisation.internal_domains:
        return (), tap.batches()
    # What was taken for ours before stays ours: the first mails of another day may tell less.
    before = keeper.internal_domains() if keeper is not None else ()
    return (before, tap.batches()) if before else inferred_from(tap.batches(), tap.transaction_type)


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
    pipeline = pipeline_for(
        organisation,
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
