"""
Copies of mail as a source: they come by SMTP, and what each tells is told on.

All of it runs on one loop, on a thread of its own: sessions, the reading of copies, the core. A mail is begun, fed and
ended in one go, so nothing is ever half told. Its sender is answered when whoever takes the batches says that the
records are written (``AwaitedBatch``): not before, and with 451 if they could not be. Nothing is kept but that.

A sender whose connection is lost meanwhile sends the copy again, as one does whose 250 was lost (RFC 1047). Such a mail
is recorded twice and counted once, like hops of one mail.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from sensor.errors import why_not_listening
from sensor.log import Log
from sensor.model import InterestSpec, Outcome, TapName
from sensor.settings import JournalSettings, split_listen
from sensor.taps.awaited import AwaitedBatch
from sensor.taps.base import Batch, TapError
from sensor.taps.capture import TURN_S
from sensor.taps.certificate import Certificate
from sensor.taps.inline import InlineCore, InlineTap, KnownPath
from sensor.taps.journal.copy import Copy, Recipient, Told
from sensor.taps.journal.counts import COUNTERS
from sensor.taps.journal.endpoint import Endpoint, Handler
from sensor.taps.journal.forms import read_copy
from sensor.taps.journal.gate import Gate
from sensor.taps.sharing import is_shared

BACKLOG = 128
DRAIN_S = 5.0
"""How long the end waits for copies whose records are being written."""
CLOSE_TURNS = 50
"""Hundredths of a second that sessions have to say what they still have to, and again to be gone."""
TELL_EVERY_S = 60.0
"""Copies that fail are told of so often, with their number: each of them might."""


class JournalTap(InlineTap):
    """
    Takes copies in at ``settings.listen``, from the first batch asked for until ``stop``.

    Raises ``TapError`` where that is not possible, or would lose mail. *clock* gives nanoseconds since the epoch: the
    time of a mail is when its copy came.
    """

    def __init__(
        self,
        interest: InterestSpec,
        settings: JournalSettings,
        *,
        limits: Mapping[str, int] | None = None,
        log: Log | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        check(settings)
        super().__init__(InlineCore(interest, limits=limits))
        self._settings, self._log, self._clock = settings, log or Log(), clock
        self._certificate = (
            None
            if settings.tls == "off"
            else Certificate(
                settings.cert_file,
                settings.key_file,
                self._log,
                tap="journal",
                named="journal.cert_file and journal.key_file",
            )
        )
        self._gate = Gate(settings)
        self._counts: Counter[str] = Counter()
        # What the loop ended and nobody took yet, and who waits for it: changed together.
        self._lock = threading.Lock()
        self._ended = 0
        self._waiting: list[asyncio.Future[bool]] = []
        self._news = threading.Event()
        self._pending: set[asyncio.Future[bool]] = set()
        self._endpoints: set[Endpoint] = set()
        self._at_ns = 0
        self._told_at_s: float | None = None
        self._stopping, self._stop = threading.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = False
        self._socket = _bound(settings.listen)
        host, port = self._socket.getsockname()[:2]
        self.address: tuple[str, int] = str(host), int(port)
        """Where it listens: of port 0, the one that was free."""

    @property
    def name(self) -> TapName:
        return "journal"

    def batches(self) -> Iterator[Batch]:
        """Batches to be settled, until it was stopped and all that was taken in has been told."""
        if self._stopping.is_set():
            return
        self._began = True
        self.run(self._serve)
        try:
            yield from self._batches()
        finally:
            # Whoever stops asking for batches answers no sender any more.
            self.stop()

    def _batches(self) -> Iterator[Batch]:
        while True:
            # Asked first: what the loop told before its end is there when it is over.
            over = self._over.is_set()
            self._news.clear()
            batch, waiting = self._take()
            if len(batch) or waiting or not over:
                yield AwaitedBatch(batch, partial(self._settle, waiting))
            elif self._failure is not None:
                raise self._failure
            else:
                return
            if not len(batch):
                # Its reader gets a turn all the same.
                self._news.wait(TURN_S)

    def stop(self) -> None:
        self._stopping.set()
        loop = self._loop
        if loop is not None:
            # A loop that is closed needs not be told.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._stop.set)
        if not self._began:
            self._socket.close()

    def counters(self) -> Mapping[str, int]:
        refused = {f"refused_{why}": number for why, number in self._gate.refused.items()}
        own = {name: self._counts[name] or refused.get(name, 0) for name in COUNTERS}
        return {**super().counters(), **{f"journal_{name}": number for name, number in own.items()}}

    # ---- on the thread that takes batches

    def _take(self) -> tuple[Batch, list[asyncio.Future[bool]]]:
        """What there is, and who waits for it. Where records were dropped on the way, nobody is told that they are."""
        with self._lock:
            batch, waiting, ended = self.core.take(), self._waiting, self._ended
            self._waiting, self._ended = [], 0
        if len(batch) < ended:
            self._settle(waiting, False)
            return batch, []
        return batch, waiting

    def _settle(self, waiting: list[asyncio.Future[bool]], written: bool) -> None:
        loop = self._loop
        if loop is not None and waiting:
            # Whoever waited on a loop that is closed waits no more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_answer, waiting, written)

    # ---- on the loop's thread

    def _serve(self) -> None:
        with asyncio.Runner() as runner:
            try:
                runner.run(self._serve_until_stopped())
            finally:
                self._socket.close()

    async def _serve_until_stopped(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stopping.is_set():
            self._stop.set()
        server = await self._loop.create_server(self._endpoint, sock=self._socket, backlog=BACKLOG)
        self._log.info("journal_listening", at="{}:{}".format(*self.address))
        try:
            await self._stop.wait()
            # Nobody more is let in; those that are on their way in have to be inside before the server is closed, or
            # asyncio loses their sockets.
            self._loop.remove_reader(self._socket)
            await asyncio.sleep(0.01)
        finally:
            server.close()
        if self._pending:
            await asyncio.wait(self._pending, timeout=DRAIN_S)
            # One more turn each for the answers to go out.
            await asyncio.sleep(0.05)
        await self._close_sessions()

    async def _close_sessions(self) -> None:
        """End what is open: with what is still to be said first, and then without."""
        for ends in (Endpoint.close, Endpoint.abort):
            for _ in range(CLOSE_TURNS):
                # Each turn, since one that was let in just now begins only now.
                for endpoint in tuple(self._endpoints):
                    ends(endpoint)
                await asyncio.sleep(0.01)
                if not self._endpoints:
                    return

    def _endpoint(self) -> Endpoint:
        assert self._loop is not None  # noqa: S101 - it runs
        handler = Handler(self._gate, self._take_in, self._failed)
        context = None if self._certificate is None else self._certificate.context()
        endpoint = Endpoint(
            handler, self._gate, self._settings, context, self._loop, _HOSTNAME, over=self._endpoints.discard
        )
        self._endpoints.add(endpoint)
        return endpoint

    async def _take_in(self, copy: Copy) -> bool:
        """Tell what a copy tells, and wait until it is written."""
        form, reading = read_copy(copy)
        self._counts["copies"] += 1
        self._counts[f"form_{form}"] += 1
        if reading.problem is not None:
            self._counts[reading.problem] += 1
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        with self._lock:
            at_ns = self._at_ns = max(self._clock(), self._at_ns + 1)
            for index, told in enumerate(reading.told):
                self._tell(told, at_ns, index)
            self._waiting.append(future)
        self._news.set()
        return await self._written(future)

    def _tell(self, told: Told, at_ns: int, index: int) -> None:
        mail = self.core.begin(
            at_ns=at_ns,
            transaction_index=index,
            reverse_path=told.reverse_path,
            forward_paths=[_known_path(each) for each in told.recipients],
        )
        outcome: Outcome = "aborted"
        try:
            self.core.content(mail, told.content)
            # The mail system has taken it for those recipients: that is what a copy says.
            outcome = "delivered"
        finally:
            self.core.end(mail, at_ns=at_ns, outcome=outcome)
            self._ended += 1
        self._counts["mails_told"] += 1

    async def _written(self, future: asyncio.Future[bool]) -> bool:
        try:
            written = await asyncio.wait_for(future, self._settings.write_timeout_s)
        except TimeoutError:
            self._counts["copies_late"] += 1
            return False
        self._counts["copies_recorded" if written else "copies_not_written"] += 1
        return written

    def _failed(self, error: Exception) -> None:
        self._counts["copies_failed"] += 1
        now_s = time.monotonic()
        if self._told_at_s is None or now_s - self._told_at_s >= TELL_EVERY_S:
            self._told_at_s = now_s
            # Its kind alone: its text may quote mail.
            self._log.error("copy_failed", why=type(error).__name__, in_all=self._counts["copies_failed"])


_HOSTNAME = socket.gethostname() or "localhost"


def check(settings: JournalSettings) -> None:
    """Raises ``TapError`` for settings by which mail would be lost, or taken from anybody."""
    if not settings.listen:
        raise TapError("no address to listen at: --listen 0.0.0.0:2525, or journal.listen in the settings file")
    if not settings.addresses and not settings.keeps_envelope:
        raise TapError(
            "no address of the journal's own: name those that copies are sent to in journal.addresses, such as "
            '["journal@sensor.corp.example"]; mail to others is refused, since here it would be lost'
        )
    if not settings.peers:
        raise TapError("journal.peers is empty: name the networks that copies come from")
    if settings.tls != "off" and not (settings.cert_file and settings.key_file):
        raise TapError(f'journal.tls = "{settings.tls}" needs journal.cert_file and journal.key_file')


def _bound(listen: str) -> socket.socket:
    """
    A socket that listens there: who connects before it is served waits. Others may share the port, so that a reload has
    the new one open before the old one goes.
    """
    host, port = split_listen(listen)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound = socket.socket(found[0][0], socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(found[0][4])
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise TapError(f"journal.listen = {listen}: {why_not_listening(error)}") from None
    if is_shared(bound):
        # Half of an MTA's mail would come here, and be refused for good.
        bound.close()
        raise TapError(f"journal.listen = {listen}: another program listens there; `ss -ltnp` tells which")
    return bound


def _answer(waiting: list[asyncio.Future[bool]], written: bool) -> None:
    for each in waiting:
        if not each.done():
            each.set_result(written)


def _known_path(recipient: Recipient) -> KnownPath:
    original = recipient.original
    orcpt = None if original is None else f"rfc822;{_xtext(original)}"
    return recipient.address, None, None, True, orcpt


def _xtext(text: str) -> str:
    """RFC 3461 4: what is not printable ASCII, and + and =, as + and two digits."""
    octets = text.encode("utf-8", "surrogatepass")
    return "".join(chr(each) if 33 <= each <= 126 and chr(each) not in "+=" else f"+{each:02X}" for each in octets)
