"""What the running sensor counts: of each batch as it passes, and of its parts before each publishing."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from heapq import nlargest
from itertools import product
from typing import get_args

from sensor.alert.alert import Alert
from sensor.alert.route import SinkStatistics
from sensor.analysis import Analysis, Step
from sensor.app.worker import Totals, Worker
from sensor.detect.events import ForwardRefused, ForwardSeen
from sensor.ledger.mailbox import CELLS, LEVELS, Cell, Forwards
from sensor.metrics import CAPTURE, Counts, family_of
from sensor.model import Direction, MissedWhy, Outcome, Severity
from sensor.tally import Tally, missed_in

TOP_EVERY_S = 15.0
"""How often the top mailboxes are chosen anew, and weighed: as often as Prometheus scrapes by most settings."""

SCOPES = ("external", "internal")
SEVERITIES = get_args(Severity)

MAILBOX_GAUGES = (
    "mailbox_auto_share_low_ratio",
    "mailbox_auto_share_high_ratio",
    "mailbox_destinations",
    "mailbox_last_forward_timestamp_seconds",
)

FIRST: Mapping[str, tuple[Sequence[str], ...]] = {
    "transactions": (get_args(Direction), get_args(Outcome)),
    "sessions": (("clear", "tls"),),
    "unseen_mails": (get_args(MissedWhy),),
    "forwards": (CELLS, LEVELS, SCOPES),
    "forwards_refused": (("yes", "no"),),
    "mailbox_overflow_forwards": (CELLS,),
    "settings_reloads": (("applied", "refused"),),
    "store_saves": (("good", "failed"),),
}
"""By family, the values of each label that series begin with at zero: a rate does not see the birth of a series."""


class Meter:
    """
    Keeps *counts* current. *name_of* gives the label of a mailbox, of which at most *top* have series.
    """

    def __init__(self, counts: Counts, *, top: int, name_of: Callable[[str], str]) -> None:
        self.counts = counts
        self.top = top
        self.name_of = name_of
        self._shown: dict[str, str] = {}
        self._told: dict[tuple[str, str], int] = {}
        self._top_due_s = 0.0
        self._last_seen_ns: int | None = None
        self._bases: dict[str, dict[tuple[str, ...], float]] = {}
        self._of_captures = [name for name in counts.names if name.startswith(CAPTURE)]
        self._workers_seen: set[str] = set()

    def build(self, version: str, sensor: str) -> None:
        """Say what runs."""
        self.counts.set("build_info", 1, version, platform.python_version(), sensor)
        self.counts.set("start_time_seconds", time.time())
        self.counts.set("settings_reload_successful", 1)
        for family, names in FIRST.items():
            self.counts.begin(family, product(*names))

    # ---- of each batch

    def see(self, batch: Tally, step: Step, took_s: float) -> None:
        """Count one batch and what it came to."""
        counts = self.counts
        counts.add("batches", 1)
        counts.observe("batch_duration_seconds", took_s)
        self._see_transactions(batch, step)
        for _, clear, tls in batch.sessions(0, batch.events):
            counts.add("sessions", clear, "clear")
            counts.add("sessions", tls, "tls")
        counts.add("tls_octets", batch.tls_octets)
        counts.add("missing_octets", batch.missing_octets)
        counts.add("incomplete_transactions", batch.incomplete)
        counts.add("one_sided_transactions", batch.one_sided)
        for missed in missed_in(batch):
            counts.add("unseen_mails", missed.mails, missed.why)
        self.see_events(step.events)
        self.see_alerts(step.alerts)
        if batch.last_seen_ns is not None:
            self._last_seen_ns = max(self._last_seen_ns or 0, batch.last_seen_ns)

    def _see_transactions(self, batch: Tally, step: Step) -> None:
        """By direction where mail was classified; the outcomes of the others are known, their direction is not."""
        verdicts = step.forwardings
        directed: Counter[tuple[str, Outcome]] = Counter()
        for index, _, _, _, transaction, _ in batch.mails:
            if transaction is not None and index in verdicts:
                directed[verdicts[index].direction, transaction.outcome] += 1
                alike = verdicts[index].look_alike
                if alike is not None:
                    self.counts.add("look_alikes", 1, alike)
        rest = Counter(batch.outcomes)
        for (direction, outcome), number in directed.items():
            self.counts.add("transactions", number, direction, outcome)
            rest[outcome] -= number
        for outcome, number in rest.items():
            if number > 0:
                self.counts.add("transactions", number, "unknown", outcome)

    def see_events(self, events: Iterable[object]) -> None:
        """Count what detectors were fed."""
        for event in events:
            if isinstance(event, ForwardSeen):
                scope = "external" if event.outside else "internal"
                self.counts.add("forwards", 1, event.cell, event.level, scope)
                if event.mailbox not in self._shown:
                    self.counts.add("mailbox_overflow_forwards", 1, event.cell)
            elif isinstance(event, ForwardRefused):
                self.counts.add("forwards_refused", 1, "yes" if event.is_policy else "no")

    def see_alerts(self, alerts: Iterable[Alert]) -> None:
        """Count alerts told."""
        for alert in alerts:
            self.counts.add("alerts", 1, alert.finding.detector, alert.severity, alert.status)

    # ---- before publishing

    def gather(self, analysis: Analysis, workers: Iterable[Worker], *, waiting: int, now_s: float) -> None:
        """Read the parts. *now_s* is a clock that only rises."""
        counts = self.counts
        counts.set("published_timestamp_seconds", time.time())
        counts.set("batches_waiting", waiting)
        if self._last_seen_ns is not None:
            seen_s = self._last_seen_ns / 1e9
            counts.set("last_mail_timestamp_seconds", seen_s)
            counts.set("event_lag_seconds", max(0.0, time.time() - seen_s))
        self._gather_analysis(analysis)
        workers = tuple(workers)
        counts.replace("worker_up", {(worker.name,): worker.is_up for worker in workers})
        counts.replace("interface_up", _interfaces_up(workers))
        for worker in workers:
            counts.reach("worker_restarts", worker.restarts, worker.name)
            self._gather_totals(worker.name, worker.totals())
        if now_s >= self._top_due_s:
            self._top_due_s = now_s + TOP_EVERY_S
            self._choose_top(analysis)
        self._gather_top(analysis)

    def gather_sinks(self, sinks: Iterable[SinkStatistics]) -> None:
        """Read what became of alerts at each sink."""
        for sink in sinks:
            self.counts.reach("sink_alerts_delivered", sink.delivered, sink.name)
            self.counts.reach("sink_failures", sink.failures, sink.name)
            self.counts.reach("sink_alerts_lost", sink.lost, sink.name)
            self.counts.reach("sink_alerts_refused", sink.refused, sink.name)
            self.counts.set("sink_alerts_owed", sink.owed, sink.name)
            self.counts.set("sink_up", sink.problem is None, sink.name)

    def rebase(self) -> None:
        """
        Parts were made anew and count from zero: what the old ones counted is kept as a base.
        """
        for family, known in self._bases.items():
            for labels in known:
                known[labels] = self.counts.value(family, labels)

    def _reach(self, family: str, value: float, *labels: str) -> None:
        """A part that may be made anew stands at *value*."""
        base = self._bases.setdefault(family, {}).setdefault(labels, 0)
        self.counts.reach(family, base + value, *labels)

    def _gather_analysis(self, analysis: Analysis) -> None:
        counts, ledger, runner, policy = self.counts, analysis.pipeline.ledger, analysis.runner, analysis.policy
        active = ledger.population(runner.clock_ms or 0)
        counts.set("active_mailboxes", active.mailboxes)
        counts.set("active_forwarders", active.forwarders)
        self._reach("ledger_evictions", ledger.mailboxes_evicted, "mailboxes")
        self._reach("ledger_evictions", ledger.forwarders_evicted, "forwarders")
        self._reach("ledger_duplicates", ledger.duplicates)
        for detector, number in runner.failures.items():
            self._reach("detector_failures", number, detector)
        self._reach("unseen_mailboxes_forgotten", analysis.pipeline.unseen.forgotten)
        counts.set("detector_states", runner.states)
        self._reach("detector_states_evicted", runner.states_evicted)
        self._reach("detector_events_released_early", runner.released_early)
        for each in fields(policy.counters):
            if each.name != "findings":
                self._reach("findings", getattr(policy.counters, each.name), each.name)
        firing = Counter(alert.severity for alert in policy.alerts() if alert.status == "firing")
        for severity in SEVERITIES:
            counts.set("alerts_firing", firing.get(severity, 0), severity)

    def _gather_totals(self, worker: str, totals: Totals) -> None:
        counts = self.counts
        if worker not in self._workers_seen:
            self._workers_seen.add(worker)
            for family in self._of_captures:
                counts.begin(family, [(worker,)])
        for name, number in totals.counters.items():
            counts.reach(family_of(name), number, worker)
        for slug, number in totals.anomalies.items():
            if number:
                counts.reach("anomalies", number, worker, slug)
        for (interface, count), number in totals.interfaces.items():
            counts.reach(f"interface_{count}", number, worker, interface)
        for (action, rule, dry_run), number in totals.verdicts.items():
            counts.reach("inline_verdicts", number, worker, action, rule, "yes" if dry_run else "no")
        counts.reach("damage", totals.damage, worker)

    # ---- the top mailboxes

    def _choose_top(self, analysis: Analysis) -> None:
        most = nlargest(
            self.top, ((forwards.automatic, name) for name, forwards in analysis.pipeline.ledger.each_forwarder())
        )
        self._shown = {mailbox: self._shown.get(mailbox) or self.name_of(mailbox) for _, mailbox in most}
        gauges: dict[str, dict[tuple[str, ...], float]] = {family: {} for family in MAILBOX_GAUGES}
        for mailbox, label in self._shown.items():
            forwards = _forwards_of(analysis, mailbox)
            if forwards is not None:
                _gauge(gauges, label, forwards)
        for family, series in gauges.items():
            self.counts.replace(family, series)

    def _gather_top(self, analysis: Analysis) -> None:
        series: dict[tuple[str, ...], float] = {}
        for mailbox, label in self._shown.items():
            forwards = _forwards_of(analysis, mailbox)
            for cell in CELLS:
                # A forward found by pairing may move to the cell of its marks later: a counter stays where it was.
                now = 0 if forwards is None else _cell(forwards, cell)
                series[label, cell] = max(now, self._told.get((label, cell), 0))
        self._told = {(key[0], key[1]): int(value) for key, value in series.items()}
        self.counts.replace("mailbox_forwards", series)


def _forwards_of(analysis: Analysis, mailbox: str) -> Forwards | None:
    account = analysis.pipeline.ledger.account(mailbox)
    return None if account is None else account.forwards


def _gauge(gauges: Mapping[str, dict[tuple[str, ...], float]], label: str, forwards: Forwards) -> None:
    """Put what an account says beside its counts into the ``MAILBOX_GAUGES``."""
    share = forwards.auto_share()
    if share is not None:
        _, low, high = share
        gauges["mailbox_auto_share_low_ratio"][label,] = low
        gauges["mailbox_auto_share_high_ratio"][label,] = high
    outside = sum(destination.is_outside for destination in forwards.destinations.values())
    gauges["mailbox_destinations"][label, "external"] = outside
    gauges["mailbox_destinations"][label, "internal"] = len(forwards.destinations) - outside
    gauges["mailbox_last_forward_timestamp_seconds"][label,] = forwards.last_seen_ms / 1e3


def _cell(forwards: Forwards, cell: Cell) -> int:
    return forwards.cells[CELLS.index(cell)]


def _interfaces_up(workers: Iterable[Worker]) -> dict[tuple[str, ...], float]:
    """By worker and interface, 1 for those that are captured."""
    up: dict[tuple[str, ...], float] = {}
    for worker in workers:
        told = getattr(worker.tap, "interfaces", None)
        for each in told() if callable(told) else ():
            up[worker.name, each.name] = each.state == "up"
    return up
