"""Looks into the MTA's log again and again for mail that passed unseen, and keeps across restarts how far it came."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict

import msgspec

from sensor.log import Log
from sensor.settings import MilterSettings
from sensor.taps.base import TapError
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.following import Follower, Place
from sensor.taps.milter.reconcile import Reconciler

TURN_S = 1.0
"""How often the log is looked at."""

NOT_THERE = "there is no such file; once there is, it is followed"

SAVE_EVERY_S = 5.0
"""How often the state is saved. A sensor that was killed takes mail shown in these seconds for unseen."""


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept: the place in the log, ids awaited, and ids shown whose line was not read yet."""

    device: int
    inode: int
    offset: int
    awaited: list[str]
    shown: list[str]


class Watch:
    """
    Follows the log that *settings* name; ``show`` is to be called for each mail shown. Used from one thread.

    Raises ``TapError`` for a log that can't be read. One that can't be any more is told of once.
    """

    def __init__(self, settings: MilterSettings, counts: Counts, log: Log) -> None:
        self._path, self._state_path = settings.log_path, settings.log_state
        self._counts, self._log = counts, log
        self._problems: dict[str, str | None] = {}
        self._save_due_s = 0.0
        self._reconciler = Reconciler(settings.log_services)
        state = self._restored()
        place = None if state is None else Place(state.device, state.inode, state.offset)
        try:
            self._follower = Follower(self._path, place)
        except OSError as error:
            raise TapError(f"{self._path}: the log can't be read: {error.strerror}") from None
        if state is not None:
            self._reconciler.restore(state.awaited, state.shown)

    def show(self, queue_id: str) -> None:
        """The mail of that id was shown to its end."""
        self._reconciler.show(queue_id)

    async def run(self) -> None:
        """Look at the log again and again, until cancelled."""
        while True:
            self.turn()
            await asyncio.sleep(0 if self._follower.is_behind else TURN_S)

    def finish(self) -> None:
        """Read what was written so far, and keep how far that is."""
        self.turn()
        while self._follower.is_behind:
            self.turn()
        self._save()

    def close(self) -> None:
        """Let the log go."""
        self._follower.close()

    def turn(self) -> None:
        """Read the next piece of the log, and tell of mail that passed unseen."""
        try:
            unseen = [each for each in map(self._reconciler.read, self._follower.lines()) if each is not None]
        except OSError as error:
            self._tell(self._path, error.strerror)
            return
        self._tell(self._path, None if self._follower.is_open else NOT_THERE)
        if unseen:
            self._counts.mails_unseen += len(unseen)
            self._log.warning("mails_unseen", mails=len(unseen), first=unseen[0], in_all=self._counts.mails_unseen)
        if time.monotonic() >= self._save_due_s:
            self._save()

    def _tell(self, path: str, problem: str | None) -> None:
        """What is wrong with a file: once, until it is another thing or nothing."""
        if problem is not None and problem != self._problems.get(path):
            self._log.error("log_not_followed", path=path, why=problem)
        self._problems[path] = problem

    def _restored(self) -> State | None:
        """The state that was kept; a file that is none of ours is told of, and begun anew."""
        if not self._state_path:
            return None
        try:
            with open(self._state_path, "rb") as file:
                return msgspec.json.decode(file.read(), type=State)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            self._log.warning("log_state_not_read", path=self._state_path, why=type(error).__name__)
            return None

    def _save(self) -> None:
        place = self._follower.place()
        self._save_due_s = time.monotonic() + SAVE_EVERY_S
        if not self._state_path or place is None:
            return
        awaited, shown = self._reconciler.state()
        fresh = f"{self._state_path}.new"
        try:
            with open(fresh, "wb") as file:
                file.write(msgspec.json.encode(State(**asdict(place), awaited=awaited, shown=shown)))
            os.replace(fresh, self._state_path)
            self._tell(self._state_path, None)
        except OSError as error:
            self._tell(self._state_path, error.strerror)
