"""The workers of a running sensor: one for each source that the settings name, all with one inbox."""

from __future__ import annotations

import queue
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack

from sensor.app.build import Plan, taps_of
from sensor.app.worker import INBOX_BATCHES, Inbox, Worker
from sensor.log import Log
from sensor.pseudonym import KeyRing
from sensor.taps.folder import Reading


class Crew:
    """
    Workers for all taps of *plan*, open and not read yet. Raises ``UserError`` where one can't be opened.

    *resumes* gives by worker name, once, the readings that the last process left off; *keys* open a sealed store. Who
    iterates gets the workers of that moment, from any thread. Those that were replaced and still have something to hand
    over are ``leaving``: whoever waits for the end waits for them too.
    """

    def __init__(self, plan: Plan, *, resumes: dict[str, Reading], keys: KeyRing | None, log: Log) -> None:
        self.inbox: Inbox = queue.Queue(INBOX_BATCHES)
        self._resumes, self._keys, self._log = resumes, keys, log
        self._begun: set[str] = set()
        self._workers: dict[str, Worker] = {}
        self._leaving: tuple[Worker, ...] = ()
        self._workers = self.opened(plan)

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers.values()))

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._workers)

    @property
    def leaving(self) -> Sequence[Worker]:
        """Workers that were replaced, and have not put their last batch into the inbox yet."""
        self._leaving = tuple(worker for worker in self._leaving if worker.is_alive)
        return self._leaving

    @property
    def is_live(self) -> bool:
        """True if whoever still reads shows mail when it passes, so that packet time and the time of day are one."""
        return all(worker.is_live or worker.has_ended for worker in self)

    @property
    def has_ended(self) -> bool:
        """True if every worker has read to its end, and its last batch is in the inbox."""
        return not self.leaving and all(worker.has_ended and not worker.is_alive for worker in self)

    def opened(self, plan: Plan, names: Collection[str] | None = None) -> dict[str, Worker]:
        """
        By name, workers for the taps of *plan* (for those in *names*), open and not read yet: to be put in place by
        ``replace``, or discarded. Raises ``UserError``; then none is open.
        """
        workers = {}
        with ExitStack() as undo:
            for name, tap in taps_of(plan, self._begun, self._resumes, self._keys).items():
                if names is None or name in names:
                    workers[name] = Worker(
                        name,
                        tap.open,
                        self.inbox,
                        goes_on=tap.goes_on,
                        is_live=tap.is_live,
                        log=self._log,
                        before=self._workers.get(name),
                    )
                    undo.callback(workers[name].discard)
            undo.pop_all()
        return workers

    def replace(self, names: Collection[str], fresh: Mapping[str, Worker]) -> None:
        """Let the workers of *names* finish, and those of them that are *fresh* begin."""
        for name in names:
            old = self._workers.get(name)
            if name in fresh:
                fresh[name].take_over()
            if old is not None:
                old.stop()
                self._leaving = (*self.leaving, old)
            workers = {each: worker for each, worker in self._workers.items() if each != name}
            if name in fresh:
                fresh[name].start()
                workers[name] = fresh[name]
            self._workers = workers

    def start(self) -> None:
        for worker in self:
            worker.start()

    def stop(self) -> None:
        """Have all finish what they have read so far, and end."""
        for worker in self:
            worker.stop()

    def abandon(self) -> None:
        """Nobody takes batches any more: have all end without waiting for a place in the inbox."""
        for worker in (*self, *self.leaving):
            worker.abandon()
