"""Mail that MTAs show us, as a source of mail: sockets and sessions on a loop of their own, the core behind them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from sensor.log import Log
from sensor.model import Outcome, TapName, Transaction
from sensor.settings import Action, MilterSettings
from sensor.taps.base import Batch, DamageView
from sensor.taps.inline import InlineCore, InlineTap
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.deed import Reply
from sensor.taps.milter.envelope import Envelope
from sensor.taps.milter.listening import listening
from sensor.taps.milter.message import Conduct
from sensor.taps.milter.server import Desk, serve
from sensor.taps.milter.session import Judge, Session
from sensor.taps.milter.unseen import Watch
from sensor.taps.sharing import SHARED, is_shared

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unseen:
    """Mail that passed unseen, as the log at *path* says."""

    path: str
    detail: str
    kind: str = "unseen"
    offset: int | None = None


class MilterTap(InlineTap):
    """
    Listens where *settings* say, until stopped. Raises ``TapError`` where that can't be.

    *judge* says what becomes of each mail; *own_field* is the name of the header field that only we may write, none
    where no mail is tagged. What can't be read passes, or where not *fails_open*, is to come again. *close* is called
    when it is done with the judge; not where it can't be made.
    """

    def __init__(
        self,
        settings: MilterSettings,
        core: InlineCore,
        judge: Judge,
        *,
        own_field: bytes | None = None,
        fails_open: bool = True,
        log: Log | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(core)
        self._settings, self._log, self._judge = settings, log or Log(), judge
        self._counts = Counts()
        self._stopping = threading.Event()
        self._wake: Callable[[], object] = lambda: None
        self._has_begun = False
        self._opened = ExitStack()
        with ExitStack() as undo:
            undo.push(self._opened)
            self._opened.callback(close)
            self._watch = Watch(settings, self._counts, self._log) if settings.log_path else None
            if self._watch is not None:
                self._opened.callback(self._watch.close)
            self._doors = self._opened.enter_context(
                listening(settings.listen, settings.socket_access, settings.socket_group)
            )
            undo.pop_all()
        self.addresses = tuple(door.address for door in self._doors)
        self._desk = self._desk_of(own_field, fails_open=fails_open)

    def _desk_of(self, own_field: bytes | None, *, fails_open: bool) -> Desk:
        settings, counts, judge = self._settings, self._counts, self._judge
        observer = CoreObserver(self.core, counts, self._log)
        conduct = Conduct(settings.body, settings.body_window_octets, own_field, fails_open)
        if self._watch is not None:
            conduct = replace(conduct, passed=self._watch.show)
        return Desk(
            lambda: Session(observer, judge, conduct, counts),
            counts,
            self._log,
            settings.connections,
            settings.idle_timeout_s,
        )

    @property
    def name(self) -> TapName:
        return "milter"

    def take_over(self) -> None:
        """
        From here on MTAs find this tap, in the place of an earlier one on the same socket; who comes before ``batches``
        waits. Raises ``TapError``.
        """
        for door in self._doors:
            door.open()

    def batches(self) -> Iterator[Batch]:
        """From here on MTAs are served."""
        if not self._has_begun:
            self._has_begun = True
            with ExitStack() as undo:
                undo.push(self._opened)
                self.take_over()
                undo.pop_all()
            for door in self._doors:
                if door.path is None and is_shared(door.listener):
                    self._log.warning("port_shared", at=door.address, why=SHARED)
            self._log.info("milter_listening", at=",".join(self.addresses))
            self.run(self._loop)
        yield from super().batches()

    def stop(self) -> None:
        self._stopping.set()
        # The loop may have ended by itself meanwhile.
        with suppress(RuntimeError):
            self._wake()

    def discard(self) -> None:
        """It is not to be read after all: nothing is left of it."""
        if not self._has_begun:
            self._has_begun = True
            self._opened.close()

    def counters(self) -> Mapping[str, int]:
        verdicts = {f"inline_{name}": number for name, number in self._judge.counters().items()}
        own = {f"milter_{name}": number for name, number in asdict(self._counts).items()}
        return {**super().counters(), **verdicts, **own}

    def verdicts(self) -> Mapping[tuple[Action, str, bool], int]:
        """How many there were, by what a rule says, its name ("" for none), and whether it was only said."""
        return self._judge.counts()

    def damage(self) -> Sequence[DamageView]:
        unseen = self._counts.mails_unseen
        if not unseen:
            return ()
        mails = "1 mail" if unseen == 1 else f"{unseen:,} mails"
        return (Unseen(self._settings.log_path, detail=f"{mails} passed unseen: queued, and not shown to the sensor"),)

    def _loop(self) -> None:
        with self._opened, asyncio.Runner(loop_factory=_new_loop()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(stop.set)
        if self._stopping.is_set():
            stop.set()
        watching = None if self._watch is None else loop.create_task(self._watch.run())
        if watching is not None:
            watching.add_done_callback(self._tell_end)
        try:
            await serve([door.listener for door in self._doors], self._desk, stop, drain_s=self._settings.drain_s)
        finally:
            self._wake = lambda: None
            if self._watch is not None and watching is not None:
                watching.cancel()
                self._watch.finish()

    def _tell_end(self, task: asyncio.Task[None]) -> None:
        """The log is followed until this is over: an end by itself is a fault of ours."""
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._desk.tell_failure(error)


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop: uvloop where it is there, which takes a third less of a processor."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class CoreObserver:
    """Hands mail to the core. A mail that the core does not take passes unread: that is counted, and told once."""

    def __init__(self, core: InlineCore, counts: Counts, log: Log) -> None:
        self._core, self._counts, self._log = core, counts, log
        self._has_told = False

    def begin(self, envelope: Envelope) -> int | None:
        return self._guarded(lambda: self._begin(envelope))

    def content(self, mail: int, octets: bytes) -> None:
        self._guarded(lambda: self._core.content(mail, octets))

    def drafted(self, mail: int) -> Transaction | None:
        return self._guarded(lambda: self._core.drafted(mail))

    def end(self, mail: int, *, at_ns: int, outcome: Outcome, reply: Reply | None, truncated: bool) -> None:
        self._guarded(lambda: self._core.end(mail, at_ns=at_ns, outcome=outcome, reply=reply, truncated=truncated))

    def _begin(self, envelope: Envelope) -> int:
        return self._core.begin(
            at_ns=envelope.started_at_ns,
            session_at_ns=envelope.connected_at_ns,
            client=envelope.client,
            server=envelope.server,
            protocol=envelope.protocol,
            helo=envelope.helo,
            auth_user=envelope.auth_user,
            tls=envelope.tls,
            transaction_index=envelope.transaction_index,
            reverse_path=envelope.reverse_path,
            reverse_path_params=tuple(envelope.parameters.items()),
            forward_paths=[
                (path.address, path.reply_code, path.enhanced, path.accepted, path.parameters.get("ORCPT"))
                for path in envelope.forward_paths
            ],
        )

    def _guarded(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - mail goes on, whatever becomes of the reading of it
            self._counts.mails_unread += 1
            if not self._has_told:
                self._has_told = True
                # Its kind alone: an error's text may quote the mail.
                self._log.error("mail_not_read", why=type(error).__name__)
            return None
