"""
The running sensor: workers' batches through one analysis, states to the store, counts to whoever scrapes.

One thread owns it and calls ``turn`` again and again. Other threads reach it by four things that are made for that:
``counts.snapshot``, ``health``, ``ask`` and ``request_reload``.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from sensor.alert.alert import Alert
from sensor.alert.dispatch import open_sinks
from sensor.app.build import Plan
from sensor.app.counting import Meter
from sensor.app.crew import Crew
from sensor.app.desk import Desk
from sensor.app.handover import Handover
from sensor.app.keeping import open_keeper
from sensor.app.output import Output
from sensor.app.quiet import QuietTime
from sensor.app.reload import Change, change_between
from sensor.app.saving import Saver
from sensor.app.worker import Parcel
from sensor.errors import UserError
from sensor.log import Log, hiding
from sensor.metrics import Counts, Snapshot, families
from sensor.privacy import keys_of, veil_of
from sensor.recent import RecentRecords
from sensor.settings import SettingsError
from sensor.taps.awaited import AwaitedBatch
from sensor.taps.counters import tap_counters
from sensor.taps.folder import EndOfCaptures, StartOfCaptures
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
    """
    ``alive``: turns are made. ``ready``: and every worker reads, and every interface is captured. ``problems`` says
    what is missing, a line each.
    """

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

    def _open_taps(self, plan: Plan) -> None:
        resumes = self._keeper.readings() if self._keeper is not None else {}
        self._crew = Crew(plan, resumes=resumes, keys=self._keys, log=self._log)

    def _open(self, plan: Plan) -> None:
        settings = plan.settings
        self._veil = veil_of(settings.privacy, settings.organisation.internal_domains, self._keys)
        self._opened.enter_context(hiding(self._veil.log))
        self.families = families(tap_counters())
        self.counts = Counts(self.families)
        self._meter = Meter(self.counts, top=settings.web.top_mailboxes, name_of=self._veil.label)
        self._meter.build(version(), settings.sensor.name)
        self._saver = Saver(self._keeper, settings, self.counts, self._log)
        self._handover = Handover(
            self._keeper,
            privacy=settings.privacy,
            keys=self._keys,
            veil=self._veil,
            observe=self._observe,
            opened=self._opened,
        )
        self._analysis = self._handover.first(plan)
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
        self._quiet = QuietTime()
        self._finished = False
        self._turned_at_s = time.monotonic()
        self._publish_due_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._crew.abandon()
        self._opened.close()

    def _close_output(self) -> None:
        """The one in force: a reload may have put another in place."""
        self._output.close()

    # ---- for other threads

    @property
    def stranded(self) -> Sequence[str]:
        """Workers that died, and that only a new process has the rights to begin anew."""
        return [worker.name for worker in self._crew if worker.is_stranded]

    @property
    def worker_names(self) -> Sequence[str]:
        return self._crew.names

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
        problems = tuple(f"{worker.name}: {problem}" for worker in self._crew for problem in worker.problems())
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
        self._crew.start()
        self._quiet.mail(self._analysis.runner.clock_ms)
        self._saver.wait()
        self._publish()

    def turn(self, wait_s: float = TURN_S) -> None:
        """Take one batch, if one comes in *wait_s* seconds, then do what is due."""
        try:
            parcel = self._crew.inbox.get(timeout=wait_s)
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
        if self._saver.is_due(self._crew):
            self._save()
        while not self._reloads.empty():
            self._reload(self._reloads.get())

    def drain(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop reading, take what was read, within ``run.drain_s`` seconds, and save."""
        crew, inbox = (*self._crew, *self._crew.leaving), self._crew.inbox
        drain_s = self._plan.settings.run.drain_s
        until_s = time.monotonic() + drain_s
        if self._saver.readings and self._saver.may_save(self._crew):
            # The last save: what a capture gives when it is broken off is not what it gives when it is read on.
            self._save()
        self._crew.stop()
        while (any(worker.is_alive for worker in crew) or not inbox.empty()) and time.monotonic() < until_s:
            meanwhile()
            try:
                self._take(inbox.get(timeout=TURN_S))
            except queue.Empty:
                continue
        for worker in crew:
            if worker.is_alive:
                self._log.warning("not_drained", worker=worker.name, seconds=drain_s)
                worker.abandon()
        # Captures that were read in part are read again from their beginning: none of them may be saved.
        if not self._saver.readings:
            self._tell_rest()
            self._save(is_last=True)
        elif self._keeper is not None:
            self._log.warning("read_again", why="a capture was read in part; the next start goes on from the last save")

    # ---- inside

    def _take(self, parcel: Parcel) -> None:
        batch = parcel.batch
        if isinstance(batch, StartOfCaptures):
            self._saver.begin(parcel.worker, batch.reading)
            return
        if isinstance(batch, EndOfCaptures):
            self._saver.end(parcel.worker, batch.paths)
            if not self._saver.readings:
                self._save()
            return
        self._saver.follow(parcel.worker, batch)
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
        at_ms = self._quiet.passed(is_live=self._crew.is_live)
        if at_ms is None:
            return
        step = self._analysis.wake(at_ms)
        self._meter.see_events(step.events)
        self._tell_alerts(step.alerts)

    def _finish_files(self) -> None:
        """When every worker has read to its end and nothing more comes, what waits for its order has its turn."""
        if not self._finished and self._crew.has_ended:
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
        self._meter.gather(self._analysis, self._crew, waiting=self._crew.inbox.qsize(), now_s=now_s)
        self._output.gather()
        self._meter.gather_sinks(self._sinks.statistics())
        self.counts.publish()

    def _save(self, *, is_last: bool = False) -> None:
        self._saver.save(self._analysis, self._view, self._output, is_last=is_last)

    def _observe(self, detector: str, seconds: float) -> None:
        self.counts.observe("detector_duration_seconds", seconds, detector)

    # ---- reloading

    def _reload(self, answer: Future[str | None]) -> None:
        if not answer.set_running_or_notify_cancel():
            return  # whoever asked has stopped waiting, and was told that nothing came of it
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
        reading = self._saver.readings.keys() & change.workers
        if reading:
            raise SettingsError(f"{', '.join(reading)}: a capture is being read; reload again when it has been")
        analysis = self._handover.after(self._analysis, plan, change, self._view, self._saver.readings)
        with ExitStack() as undo:
            output = Output(plan.settings, self.counts, self._log, self._veil) if change.output else None
            if output is not None:
                undo.callback(output.close)
            workers = self._crew.opened(plan, change.workers)
            for worker in workers.values():
                undo.callback(worker.discard)
            if output is None:
                self._output.reopen()
            undo.pop_all()
        # From here on nothing fails.
        self._plan = plan
        self._saver.checkpoint_s = plan.settings.store.checkpoint_s
        if output is not None:
            self._output.close()
            self._output = output
        if analysis is not self._analysis:
            self._meter.rebase()
            self._analysis = self._view.analysis = analysis
        self._crew.replace(change.workers, workers)
        self._finished = self._finished and not workers
