"""
Where other threads ask what only the analysis may look at: it answers between batches, in bounded parts of its time.

A question is a generator over the view. It yields after each few milliseconds of work, so that mail goes on between
its steps, and returns its answer. However many ask, answering takes at most ``SHARE`` of the analysis's time.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from sensor.web.face import BusyError

SHARE = 0.2
"""Of the analysis's time, at most this part answers questions while mail comes in."""

WAITING = 32
"""Questions that wait. Beyond it the next is refused: an honest "busy" is better than a long wait."""

V = TypeVar("V")
T = TypeVar("T")
Question = Callable[[V], Generator[None, None, T]]


class Desk(Generic[V]):
    """Takes questions from any thread, and answers them where ``serve`` is called."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: queue.Queue[tuple[Question[V, Any], Future[Any]]] = queue.Queue(WAITING)
        self._current: tuple[Generator[None, None, Any], Future[Any]] | None = None
        self._not_before = 0.0

    def ask(self, question: Question[V, T]) -> Future[T]:
        """The answer, some time. Raises ``BusyError``."""
        answer: Future[T] = Future()
        try:
            self._waiting.put_nowait((question, answer))
        except queue.Full:
            raise BusyError("too many questions wait") from None
        return answer

    def serve(self, view: V, *, idle: bool) -> None:
        """Go on with the questions for one step, or where it is *idle* until none waits."""
        while idle or self._clock() >= self._not_before:
            began = self._clock()
            if not self._step(view):
                return
            now = self._clock()
            self._not_before = now + (now - began) * (1 / SHARE - 1)
            if not idle:
                return

    def _step(self, view: V) -> bool:
        """One step of one question; false if there is none."""
        if self._current is None:
            try:
                question, answer = self._waiting.get_nowait()
            except queue.Empty:
                return False
            if not answer.set_running_or_notify_cancel():
                return True
            self._current = question(view), answer
        steps, answer = self._current
        try:
            next(steps)
        except StopIteration as end:
            self._current = None
            answer.set_result(end.value)
        except Exception as error:  # noqa: BLE001 - it is the asker's to hear of, and the analysis goes on
            self._current = None
            answer.set_exception(error)
        return True
