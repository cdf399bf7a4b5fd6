"""
The running sensor: workers' batches through one analysis, states to the store, counts to whoever scrapes.

One thread owns it and calls ``turn`` again and again. Other threads reach it by four things that are made for that:
``counts.snapshot``, ``health``, ``ask`` and ``request_reload``.

Saves fall between batches, every ``store.checkpoint_s`` seconds, which is what a kill may cost. Captures that are read
from files are saved when they have been read to their end: a sensor that was killed reads them again, and counts
nothing twice. Where other sources are at work meanwhile, their saves do not wait for that: with them is saved how far
the captures were read, so that the next process goes on from there and counts nothing twice either.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, TypeVar

from sensor.alert.alert import Alert
from sensor.alert.dispatch import open_sinks
from sensor.analysis import ALERT, DETECTOR, Analysis
from sensor.app.build import Plan, pipeline_of, policy_of, runner_of, taps_of
from sensor.app.counting import Meter
from sensor.app.desk import Desk
from sensor.app.keeping import Keeper, open_keeper
from sensor.app.output import Output
from sensor.app.quiet import QuietTime
from sensor.app.reload import Change, change_between
from sensor.app.retention import Retention
from sensor.app.worker import INBOX_BATCHES, Inbox, Parcel, Worker
from sensor.database import DatabaseError
from sensor.errors import UserError
from sensor.log import Log, hiding
from sensor.metrics import Counts, Snapshot, families
from sensor.privacy import keys_of, veil_of
from sensor.recent import RecentRecords
from sensor.settings import SettingsError
from sensor.taps.awaited import AwaitedBatch
from sensor.taps.counters import tap_counters
from sensor.taps.folder import EndOfCaptures, Reading, StartOfCaptures
from sensor.version import version
from sensor.view import View

TURN_S = 0.1
"""How long a turn waits for mail: questions, signals and the watchdog wait no longer."""

PUBLISH_EVERY_S = 1.0
"""How old the counts of a scrape may be. Scrapes come every 15 seconds by most settings."""

STUCK_S = 30.0
"""A turn that takes longer is a fault: no batch takes a second."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Health:
    """``alive``: turns are made. ``ready``: and every worker reads. ``problems`` says what lacks, a line each."""

    alive: bool
    ready: bool
    problems: tuple[str, ...] = ()


class Sensor:
    """
    Built from *plan*; *load* reads the settings anew. Raises ``UserError`` where a part can't be opened.

    *sockets_are_open* is called when every tap is open and no thread was started yet but those of the core. A context:
    leaving it closes files and the store, without saving.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        load: Callable[[], Plan],
        log: Log,
        sockets_are_open: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan, self._load, self._log = plan, load, log
        self._opened = ExitStack()
        with ExitStack() as undo:
            undo.push(self._opened)
            self._open_store(plan)
            self._open_taps(plan)
            sockets_are_open()
            self._open(plan)
            undo.pop_all()

    def _open_store(self, plan: Plan) -> None:
        settings = plan.settings
        # Read once: after the start, the right to read the key file may be gone.
        self._keys = keys_of(settings.privacy)
        self._keeper = None
        if settings.store.path:
            self._keeper = self._opened.enter_context(open_keeper(settings.store.path, settings.privacy, self._keys))
        self._resumes = self._keeper.readings() if self._keeper is not None else {}

    def _open_taps(self, plan: Plan) -> None:
        self._begun: set[str] = set()
        self._workers: dict[str, Worker] = {}
        # Names of the workers that see mail as it passes.
        self._live: set[str] = set()
        self._quiet = QuietTime()
        self._inbox: Inbox = queue.Queue(INBOX_BATCHES)
        self._workers = self._workers_of(plan)

    def _open(self, plan: Plan) -> None:
        settings = plan.settings
        self._veil = veil_of(settings.privacy, settings.organisation.internal_domains, self._keys)
        self._opened.enter_context(hiding(self._veil.log))
        self.families = families(tap_counters())
        self.counts = Counts(self.families)
        self._meter = Meter(self.counts, top=settings.web.top_mailboxes, name_of=self._veil.label)
        self._meter.build(version(), settings.sensor.name)
        self._retention = Retention(settings.store.keep_days)
        self._passing: Keeper | None = None
        self._analysis = self._analysis_of(plan)
        if self._keeper is not None:
            self._keeper.restore(self._analysis)
        self._view = View(self._analysis, RecentRecords(settings.web.recent_records, self._veil.record), self._veil)
        if self._keeper is not None:
            self._view.restore_alerts(self._keeper.told())
            if self._keeper.tells_anew:
                self._view.take_alerts(tuple(self._analysis.policy.alerts()), sensor=settings.sensor.name)
        self._output = Output(settings, self.counts, self._log, self._veil)
        self._opened.callback(self._close_output)
        self._sinks = self._opened.enter_context(
            open_sinks(settings.alerts, plan.environment, sensor=settings.sensor.name, log=self._log)
        )
        self._sinks.remember(self._analysis.policy.alerts())
        self._desk: Desk[View] = Desk()
        self._reloads: queue.SimpleQueue[Future[str | None]] = queue.SimpleQueue()
        self._readings: dict[str, Reading] = {}
        self._finished = False
        self._turned_at_s = time.monotonic()
        self._publish_due_s = self._save_due_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in self._workers.values():
            worker.abandon()
        self._opened.close()

    def _close_output(self) -> None:
        """The one in force: a reload may have put another in place."""
        self._output.close()

    # ---- for other threads

    @property
    def worker_names(self) -> Sequence[str]:
        return tuple(self._workers)

    @property
    def snapshot(self) -> Snapshot:
        """The counts as last published."""
        return self.counts.snapshot

    def allows_reload(self) -> bool:
        """True if whoever reaches the HTTP face may have the settings read anew."""
        return self._plan.settings.web.allow_reload

    def health(self) -> Health:
        """How it is, now."""
        stuck_s = time.monotonic() - self._turned_at_s
        if stuck_s > STUCK_S:
            return Health(alive=False, ready=False, problems=(f"no turn for {stuck_s:.0f} seconds",))
        problems = tuple(
            f"{worker.name}: {worker.problem or 'has ended'}"
            for worker in list(self._workers.values())
            if not worker.is_up
        )
        return Health(alive=True, ready=not problems, problems=problems)

    def ask(self, question: Callable[[View], Generator[None, None, T]]) -> Future[T]:
        """The answer to a question about what only the analysis may look at. Raises ``BusyError``."""
        return self._desk.ask(question)

    def request_reload(self) -> Future[str | None]:
        """Have the settings read anew: none if they are in force then, else why they were refused."""
        answer: Future[str | None] = Future()
        self._reloads.put(answer)
        return answer

    # ---- for its own thread

    def start(self) -> None:
        """Begin to read."""
        for worker in self._workers.values():
            worker.start()
        self._quiet.mail(self._analysis.runner.clock_ms)
        self._save_due_s = time.monotonic() + self._plan.settings.store.checkpoint_s
        self._publish()

    def turn(self, wait_s: float = TURN_S) -> None:
        """Take one batch, if one comes in *wait_s* seconds, then do what is due."""
        try:
            parcel = self._inbox.get(timeout=wait_s)
        except queue.Empty:
            self._finish_files()
            self._pass_time()
            self._desk.serve(self._view, idle=True)
        else:
            self._take(parcel)
            self._desk.serve(self._view, idle=False)
        now_s = self._turned_at_s = time.monotonic()
        if now_s >= self._publish_due_s:
            self._publish()
        if now_s >= self._save_due_s and self._may_save():
            self._save()
        while not self._reloads.empty():
            self._reload(self._reloads.get())

    def drain(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop reading, take what was read, within ``run.drain_s`` seconds, and save."""
        until_s = time.monotonic() + self._plan.settings.run.drain_s
        if self._readings and self._may_save():
            # The last save: what a capture gives when it is broken off is not what it gives when it is read on.
            self._save()
        workers = tuple(self._workers.values())
        for worker in workers:
            worker.stop()
        while (any(worker.is_alive for worker in workers) or not self._inbox.empty()) and time.monotonic() < until_s:
            meanwhile()
            try:
                self._take(self._inbox.get(timeout=TURN_S))
            except queue.Empty:
                continue
        for worker in workers:
            if worker.is_alive:
                self._log.warning("not_drained", worker=worker.name, seconds=self._plan.settings.run.drain_s)
                worker.abandon()
        # Captures that were read in part are read again from their beginning: none of them may be saved.
        if not self._readings:
            self._tell_rest()
            self._save()
        elif self._keeper is not None:
            self._log.warning("read_again", why="a capture was read in part; the next start goes on from the last save")

    # ---- inside

    def _take(self, parcel: Parcel) -> None:
        batch = parcel.batch
        if isinstance(batch, EndOfCaptures):
            self._end_captures(parcel.worker, batch)
            return
        if isinstance(batch, StartOfCaptures):
            if self._keeper is not None:
                self._readings[parcel.worker] = batch.reading
            return
        if parcel.worker in self._readings:
            self._readings[parcel.worker] = self._readings[parcel.worker].after(batch)
        began = time.perf_counter()
        drawn = batch.tally(classify_all=self._analysis.pipeline.classifies_all)
        step = self._analysis.take(drawn)
        self._meter.see(drawn, step, time.perf_counter() - began)
        written = self._output.write_records(batch, step.forwardings, parcel.tap.name)
        self._view.take(drawn, step, sensor=self._plan.settings.sensor.name, tap=parcel.tap.name)
        self._tell(step.alerts)
        if len(batch):
            self._quiet.mail(self._analysis.runner.clock_ms)
        if isinstance(batch, AwaitedBatch):
            batch.settle(written and self._output.sync_records())

    def _pass_time(self) -> None:
        """No mail is waiting, so none has come since: packet time goes on."""
        is_live = all(name in self._live or worker.has_ended for name, worker in self._workers.items())
        at_ms = self._quiet.passed(is_live=is_live)
        if at_ms is None:
            return
        step = self._analysis.wake(at_ms)
        self._meter.see_events(step.events)
        self._tell_alerts(step.alerts)

    def _end_captures(self, worker: str, captures: EndOfCaptures) -> None:
        self._readings.pop(worker, None)
        if self._keeper is None:
            return
        try:
            self._keeper.note_captures(captures.paths)
        except (UserError, OSError) as error:
            self._log.error("capture_not_noted", why=error)
        if not self._readings:
            self._save()

    def _may_save(self) -> bool:
        """
        True if no capture is being read, or if others would wait for its end: then with how far it was read. Of
        captures alone nothing would be gained: read again as a whole, they give what they would have given.
        """
        others = (worker for name, worker in self._workers.items() if name not in self._readings)
        return not self._readings or (
            any(worker.goes_on for worker in others) and all(each.can_be_resumed for each in self._readings.values())
        )

    def _finish_files(self) -> None:
        """When every worker has read to its end and nothing more comes, what waits for its order has its turn."""
        if not self._finished and all(worker.has_ended and not worker.is_alive for worker in self._workers.values()):
            self._finished = True
            self._tell_rest()
            self._save()

    def _tell_rest(self) -> None:
        self._tell_alerts(self._analysis.finish())

    def _tell_alerts(self, alerts: Sequence[Alert]) -> None:
        self._meter.see_alerts(alerts)
        self._view.take_alerts(alerts, sensor=self._plan.settings.sensor.name)
        self._tell(alerts)

    def _tell(self, alerts: Sequence[Alert]) -> None:
        self._output.write_alerts(alerts)
        self._sinks.write(alerts)

    def _publish(self) -> None:
        now_s = time.monotonic()
        self._publish_due_s = now_s + PUBLISH_EVERY_S
        self._meter.gather(self._analysis, tuple(self._workers.values()), waiting=self._inbox.qsize(), now_s=now_s)
        self._output.gather()
        self._meter.gather_sinks(self._sinks.statistics())
        self.counts.publish()

    def _save(self) -> None:
        self._save_due_s = time.monotonic() + self._plan.settings.store.checkpoint_s
        if self._keeper is None:
            return
        began = time.perf_counter()
        try:
            self._keeper.keep(
                self._analysis,
                self._view.unsaved_alerts(),
                sensor=self._plan.settings.sensor.name,
                readings=self._readings,
            )
            self._expire(self._keeper)
        except DatabaseError as error:
            # What was not written is held for the next save.
            self.counts.add("store_saves", 1, "failed")
            self._log.error("not_saved", why=error)
        else:
            self.counts.add("store_saves", 1, "good")
            self.counts.set("store_last_save_timestamp_seconds", time.time())
        self.counts.observe("store_save_duration_seconds", time.perf_counter() - began)

    def _expire(self, keeper: Keeper) -> None:
        """Delete what is older than ``store.keep_days``. Raises ``DatabaseError``."""
        first_day = self._retention.due()
        if self._retention.was_set:
            self._log.warning("clock_was_set", so="nothing is deleted by its age for a day")
        if first_day is not None:
            self._view.forget_alerts(keeper.expire(self._analysis, first_day))
            self._output.expire(first_day)

    def _analysis_of(self, plan: Plan) -> Analysis:
        return Analysis(pipeline_of(plan), runner_of(plan, self._observe), policy_of(plan, self._veil))

    def _observe(self, detector: str, seconds: float) -> None:
        self.counts.observe("detector_duration_seconds", seconds, detector)

    def _workers_of(self, plan: Plan, names: Collection[str] | None = None) -> dict[str, Worker]:
        """Workers for the taps of *plan* (for those in *names*), their taps open and not read yet."""
        workers = {}
        with ExitStack() as undo:
            for name, tap in taps_of(plan, self._begun, self._resumes, self._keys).items():
                if names is None or name in names:
                    before = self._workers.get(name)
                    (self._live.add if tap.is_live else self._live.discard)(name)
                    fresh = Worker(name, tap.open, self._inbox, goes_on=tap.goes_on, log=self._log, before=before)
                    undo.callback(fresh.discard)
                    workers[name] = fresh
            undo.pop_all()
        return workers

    def _replace_worker(self, name: str, fresh: Worker | None) -> None:
        """Let the worker of that name finish, and *fresh* begin, if there is one."""
        old = self._workers.get(name)
        if fresh is not None:
            fresh.take_over()
        if old is not None:
            old.stop()
        workers = {each: worker for each, worker in self._workers.items() if each != name}
        if fresh is not None:
            fresh.start()
            workers[name] = fresh
            self._finished = False
        self._workers = workers

    # ---- reloading

    def _reload(self, answer: Future[str | None]) -> None:
        problem = None
        try:
            plan = self._load()
            change = change_between(self._plan, plan)
            problem = change.refused
            if problem is None:
                self._apply(plan, change)
        except (UserError, OSError) as error:
            problem = str(error)
        self.counts.add("settings_reloads", 1, "applied" if problem is None else "refused")
        self.counts.set("settings_reload_successful", problem is None)
        if problem is None:
            self._log.info("settings_reloaded")
        else:
            self._log.error("settings_refused", why=problem)
        answer.set_result(problem)

    def _apply(self, plan: Plan, change: Change) -> None:
        """
        Make the parts of *change* anew and put them in place together. Raises ``UserError``; then all is as it was.
        """
        reading = self._readings.keys() & change.workers
        if reading:
            raise SettingsError(f"{', '.join(reading)}: a capture is being read; reload again when it has been")
        analysis = self._analysis_after(plan, change)
        with ExitStack() as undo:
            output = Output(plan.settings, self.counts, self._log, self._veil) if change.output else None
            if output is not None:
                undo.callback(output.close)
            workers = self._workers_of(plan, change.workers)
            undo.pop_all()
        # From here on nothing fails.
        self._plan = plan
        if output is not None:
            self._output.close()
            self._output = output
        else:
            self._output.reopen()
        if analysis is not self._analysis:
            self._meter.rebase()
            self._analysis = self._view.analysis = analysis
        for name in change.workers:
            self._replace_worker(name, workers.get(name))

    def _analysis_after(self, plan: Plan, change: Change) -> Analysis:
        """The analysis with those parts new that have to be, holding the states of the old ones."""
        old = self._analysis
        if not (change.pipeline or change.runner or change.policy):
            return old
        analysis = Analysis(
            pipeline_of(plan) if change.pipeline else old.pipeline,
            runner_of(plan, self._observe) if change.runner else old.runner,
            policy_of(plan, self._veil) if change.policy else old.policy,
        )
        states = self._states()
        states.keep(old, self._view.unsaved_alerts(), sensor=plan.settings.sensor.name, readings=self._readings)
        states.restore(analysis, lambda kind: _is_part_of(kind, change))
        return analysis

    def _states(self) -> Keeper:
        """The store, or where there is none, a file of the moment to move states by."""
        if self._keeper is not None:
            return self._keeper
        if self._passing is None:
            folder = self._opened.enter_context(TemporaryDirectory(prefix="mailsensor-"))
            self._passing = self._opened.enter_context(
                open_keeper(os.path.join(folder, "states.db"), self._plan.settings.privacy, self._keys)
            )
        return self._passing


def _is_part_of(kind: str, change: Change) -> bool:
    """True if states of that kind belong to a part that is made anew."""
    if kind == ALERT:
        return change.policy
    return change.runner if kind.startswith(DETECTOR) else change.pipeline
