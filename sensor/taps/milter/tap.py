"""Mail that MTAs show us, as a source of mail: sockets and sessions on a loop of their own, the core behind them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import TypeVar

from sensor.log import Log
from sensor.model import Outcome, TapName, Transaction
from sensor.settings import MilterSettings
from sensor.taps.inline import InlineCore, InlineTap
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.deed import Reply
from sensor.taps.milter.envelope import Envelope
from sensor.taps.milter.listening import listening, told
from sensor.taps.milter.message import Conduct
from sensor.taps.milter.server import Desk, serve
from sensor.taps.milter.session import Judge, Session

T = TypeVar("T")


class MilterTap(InlineTap):
    """
    Listens where *settings* say, until stopped. Raises ``TapError`` where that can't be.

    *judge* says what becomes of each mail; *own_field* is the name of the header field that only we may write, none
    where no mail is tagged. What can't be read passes, or where not *fails_open*, is to come again. *close* is called
    when the loop has ended.
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
        self._settings, self._log = settings, log or Log()
        self._counts, self._judge = Counts(), judge
        self._close = close
        observer = CoreObserver(core, self._counts, self._log)
        conduct = Conduct(settings.body, settings.body_window_octets, own_field, fails_open)
        self._desk = Desk(
            lambda: Session(observer, judge, conduct, self._counts),
            self._counts,
            self._log,
            settings.connections,
            settings.idle_timeout_s,
        )
        self._stopping = threading.Event()
        self._wake: Callable[[], object] = lambda: None
        self._opened = ExitStack()
        self._listeners = self._opened.enter_context(
            listening(settings.listen, settings.socket_access, settings.socket_group)
        )
        self.addresses = tuple(map(told, settings.listen, self._listeners))
        self.run(self._loop)

    @property
    def name(self) -> TapName:
        return "milter"

    def stop(self) -> None:
        self._stopping.set()
        self._wake()

    def counters(self) -> Mapping[str, int]:
        verdicts = {f"inline_{name}": number for name, number in self._judge.counters().items()}
        own = {f"milter_{name}": number for name, number in asdict(self._counts).items()}
        return {**super().counters(), **verdicts, **own}

    def _loop(self) -> None:
        with self._opened:
            self._opened.callback(self._close)
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(stop.set)
        if self._stopping.is_set():
            stop.set()
        try:
            await serve(self._listeners, self._desk, stop, drain_s=self._settings.drain_s)
        finally:
            self._wake = lambda: None


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
