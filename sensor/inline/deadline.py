"""
A function that is waited for only so long.

Nothing in Python ends a function from outside, so it runs on a thread of its own, and who waits goes on without it when
its time is up. That thread is given up: it ends when the function does, if ever, and another takes its place for the
next call. A function that hangs each time would leave a thread each time, so at ``MAX_GIVEN_UP`` of them nothing is
called any more, and each call fails at once, until one of them has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")

MAX_GIVEN_UP = 4
"""Threads that hang: each keeps a mail in memory and takes turns of the interpreter from those that work."""


class LateError(Exception):
    """The answer did not come in time, or nobody is left to ask."""


class Deadline(Generic[A, R]):
    """Calls *function* and waits *timeout_s* seconds for what it returns. To be used from one thread at a time."""

    def __init__(self, function: Callable[[A], R], timeout_s: float) -> None:
        self._function = function
        self._timeout_s = timeout_s
        self._worker: _Worker[A, R] | None = None
        self._given_up: list[_Worker[A, R]] = []

    def __call__(self, argument: A) -> R:
        """What the function returns or raises. Raises ``LateError``."""
        worker = self._worker or self._begin()
        answers: SimpleQueue[R | Exception] = SimpleQueue()
        worker.ask(argument, answers)
        try:
            answer = answers.get(timeout=self._timeout_s)
        except Empty:
            self._give_up(worker)
            raise LateError(f"no answer within {self._timeout_s * 1000:.0f} ms") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Let the thread end. It is begun anew where a further call is made."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _begin(self) -> _Worker[A, R]:
        self._given_up = [each for each in self._given_up if each.is_alive()]
        if len(self._given_up) >= MAX_GIVEN_UP:
            raise LateError(f"{MAX_GIVEN_UP} calls hang")
        self._worker = _Worker(self._function)
        self._worker.start()
        return self._worker

    def _give_up(self, worker: _Worker[A, R]) -> None:
        worker.end()
        self._given_up.append(worker)
        self._worker = None


class _Worker(threading.Thread, Generic[A, R]):
    """Answers one question after the other until it is told to end."""

    def __init__(self, function: Callable[[A], R]) -> None:
        super().__init__(name="verdicts", daemon=True)
        self._function = function
        self._questions: SimpleQueue[tuple[A, SimpleQueue[R | Exception]] | None] = SimpleQueue()

    def ask(self, argument: A, answers: SimpleQueue[R | Exception]) -> None:
        self._questions.put((argument, answers))

    def end(self) -> None:
        self._questions.put(None)

    def run(self) -> None:
        while (question := self._questions.get()) is not None:
            argument, answers = question
            try:
                answers.put(self._function(argument))
            except Exception as error:  # noqa: BLE001 - whoever asked gets it raised
                answers.put(error)
