"""The two connections of a session, as the event loop drives them."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

Ends = tuple[tuple[str, int], tuple[str, int]]
"""Of a connection: who made it, and where it leads. Addresses in their plain form."""


class Owner(Protocol):
    """The session, as its connections know it."""

    def begin(self) -> None: ...
    def from_client(self, data: bytes) -> None: ...
    def client_done(self) -> None: ...
    def client_lost(self, *, is_reset: bool) -> None: ...
    def next_hop_made(self, leg: NextHopLeg) -> None: ...
    def from_next_hop(self, data: bytes) -> None: ...
    def next_hop_lost(self, leg: NextHopLeg) -> None: ...
    def regulate(self) -> None: ...


class Leg(asyncio.Protocol):
    """One of a session's two connections, where they are alike."""

    transport: asyncio.Transport | None = None
    is_full = False
    is_reading = True

    def __init__(self, session: Owner) -> None:
        self.session = session

    def pause_writing(self) -> None:
        self.is_full = True
        self.session.regulate()

    def resume_writing(self) -> None:
        self.is_full = False
        self.session.regulate()

    def write(self, octets: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(octets)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def read(self, *, wanted: bool) -> None:
        """Read on, or read no further for now."""
        if wanted is self.is_reading:
            return
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self.is_reading = wanted
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()


class ClientLeg(Leg):
    """The connection of the client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.session.begin()

    def data_received(self, data: bytes) -> None:
        self.session.from_client(data)

    def eof_received(self) -> bool:
        self.session.client_done()
        # TLS can't be closed one way (and says so); a plain connection stays open for replies.
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self.session.client_lost(is_reset=exc is not None)


class NextHopLeg(Leg):
    """The connection to the next hop."""

    ends: Ends | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.session.next_hop_made(self)

    def data_received(self, data: bytes) -> None:
        self.session.from_next_hop(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.session.next_hop_lost(self)
