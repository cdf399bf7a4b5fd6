"""The sockets of the milter: octets to sessions, answers back. All that is decided is decided in ``session``."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from sensor.log import Log
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.protocol import Reader, ViolationError
from sensor.taps.milter.session import Session
from sensor.taps.telling import Teller

SWEEP_S = 5.0
"""How often connections are looked over for those that were silent too long."""


@dataclass(slots=True)
class Desk:
    """What all connections share. *connections* is how many there may be at a time."""

    open_session: Callable[[], Session]
    counts: Counts
    log: Log
    connections: int
    idle_timeout_s: float
    clock_ns: Callable[[], int] = time.time_ns
    current: set[Connection] = field(default_factory=set)
    teller: Teller = field(init=False)

    def __post_init__(self) -> None:
        self.teller = Teller(self.log, "milter")

    def tell_failure(self, error: Exception) -> None:
        """A fault of ours: it costs a connection, and is told, without the error's text, which may quote the mail."""
        self.counts.failures += 1
        place = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{os.path.basename(place.filename)}:{place.lineno}"
        self.log.error("milter_failure", why=type(error).__name__, at=at)


class Connection(asyncio.Protocol):
    """One connection of an MTA."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._reader = Reader()
        self._session = desk.open_session()
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._heard_at_s = time.monotonic()
        self._is_finishing = False
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A stream server makes no others; those of uvloop are of no common class.
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        desk = self._desk
        if len(desk.current) >= desk.connections:
            desk.counts.connections_refused += 1
            desk.teller.tell("connections_refused", "milter.connections are open; the MTA goes on without us")
            transport.abort()
            return
        desk.counts.connections += 1
        desk.current.add(self)
        found = transport.get_extra_info("socket")
        if found is not None and found.family in {socket.AF_INET, socket.AF_INET6}:
            self._socket = found
            self._acknowledge()

    def data_received(self, data: bytes) -> None:
        self._acknowledge()
        self._heard_at_s = time.monotonic()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            answer = self._answer(data)
        except ViolationError as error:
            self._desk.counts.violations += 1
            self._desk.log.warning("milter_violation", why=error)
            transport.abort()
            return
        except Exception as error:  # noqa: BLE001 - the MTA does by its default action what it does without us
            self._desk.tell_failure(error)
            transport.abort()
            return
        if answer:
            transport.write(answer)
        if self._session.is_done or (self._is_finishing and not self._session.is_in_mail):
            transport.close()

    def _answer(self, data: bytes) -> bytes:
        session, at_ns = self._session, self._desk.clock_ns()
        return b"".join([session.take(event, at_ns) for event in self._reader.feed(data)])

    def pause_writing(self) -> None:
        """It does not read what it is answered: nothing more is read of it either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._desk.current.discard(self)
        if not self._closed.done():
            self._closed.set_result(None)
        self._session.lost(self._desk.clock_ns())

    def finish(self) -> asyncio.Future[None]:
        """Close it when the mail at hand is through, or now if there is none. Done when it is closed."""
        self._is_finishing = True
        if self._transport is not None and not self._session.is_in_mail:
            self._transport.close()
        return self._closed

    def drop(self) -> None:
        """Close it, whatever is going on."""
        if self._transport is not None:
            self._transport.abort()

    def is_silent(self, now_s: float) -> bool:
        """True if it was heard of too long ago."""
        return now_s - self._heard_at_s > self._desk.idle_timeout_s

    def _acknowledge(self) -> None:
        """
        Have the kernel acknowledge at once what was read. MTAs write mail in small pieces without ``TCP_NODELAY``: each
        would wait for our delayed acknowledgment, 40 ms. The option holds for one acknowledgment, so it is set again
        each time.
        """
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def serve(listeners: Sequence[socket.socket], desk: Desk, stop: asyncio.Event, *, drain_s: float) -> None:
    """
    Accept connections until *stop*; then let mails that are on their way come to their end, for *drain_s* seconds.
    """
    loop = asyncio.get_running_loop()
    servers = []
    for listener in listeners:
        listener.setblocking(False)
        make = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
        servers.append(await make(lambda: Connection(desk), sock=listener))
    sweeper = loop.create_task(_sweep(desk))
    try:
        await stop.wait()
    finally:
        sweeper.cancel()
        for server in servers:
            server.close()
        await _drain(desk, drain_s)


async def _sweep(desk: Desk) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        now_s = time.monotonic()
        for connection in [each for each in desk.current if each.is_silent(now_s)]:
            desk.counts.connections_silent += 1
            connection.drop()


async def _drain(desk: Desk, drain_s: float) -> None:
    closed = [connection.finish() for connection in desk.current]
    if closed:
        await asyncio.wait(closed, timeout=drain_s)
    for connection in list(desk.current):
        connection.drop()
