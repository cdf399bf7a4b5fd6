"""One client and its next hop on the event loop: sockets, TLS and time for a splice."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, Protocol

from sensor.settings import RelaySettings
from sensor.taps.relay import proxy
from sensor.taps.relay.approach import Approach
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.identity import Identity
from sensor.taps.relay.legs import ClientLeg, Ends, Leg, NextHopLeg
from sensor.taps.relay.observer import Observer, View
from sensor.taps.relay.port import Conduct, Ruling
from sensor.taps.relay.shortcut import Rest, Shortcut
from sensor.taps.relay.splice import Splice
from sensor.taps.relay.state import State
from sensor.taps.telling import Teller, reason_of

PROXY_TIMEOUT_S = 3.0
"""For the header of a trusted peer, which sends it at once (proxy-protocol.txt 2: at least 3 seconds)."""

HANDSHAKE_TIMEOUT_S = 60.0
"""For a TLS handshake, as asyncio and most servers have it."""

LINGER_S = 5.0
"""
After the last reply, for the client to close: a connection closed upon octets that were not read is reset, and a reset
takes away what the client has not read yet (RFC 1122 4.2.2.13).
"""

REFUSED = b"421 4.7.0 Too many connections, try again later\r\n"
LOOP_REFUSED = b"554 5.4.6 Mail loop: this relay is its own next hop\r\n"


class House(Protocol):
    """What a session needs of the server that it belongs to."""

    loop: asyncio.AbstractEventLoop
    teller: Teller
    settings: RelaySettings
    counts: Counts
    observer: Observer
    next_hop_tls: ssl.SSLContext | None
    is_stopping: bool

    def refusal(self, ends: Ends, session: Session) -> bytes | None:
        """What the connection of *session* is answered, if it can't be taken."""

    def admits(self, client: str, *, is_trusted: bool) -> bool:
        """True if one more session of that client may be open; it then counts as open."""

    def is_trusted(self, address: str) -> bool: ...
    def client_tls(self) -> ssl.SSLContext | None: ...
    def conduct(self, identity: Identity, *, is_trusted: bool) -> Conduct: ...
    def hello(self) -> bytes: ...
    def add_own(self, ends: Ends) -> None: ...
    def remove_own(self, ends: Ends) -> None: ...
    def leave(self, session: Session) -> None: ...


class Session:
    """
    A client's session from its first octet to its last. It is the ``Port`` of its splice.

    A PROXY header, where one is due, is read before anything else; the next hop is connected to before the client
    hears a banner, so that a next hop that is down costs nobody a mail.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.client = ClientLeg(self)
        self.next_hop = NextHopLeg(self)
        self.ends: Ends = ("", 0), ("", 0)
        self.identity: Identity | None = None
        self.is_admitted = False
        self._splice: Splice | None = None
        self._view: View | None = None
        self._early = b""
        self._expects_proxy = False
        self._is_over = self._is_reset = self._is_trusted = self._client_is_done = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._active_at = house.loop.time()

    # ---- beginning

    def begin(self) -> None:
        """The client has connected."""
        transport = self.client.transport
        assert transport is not None  # noqa: S101 - the client has just connected
        peer, own = self.ends = end_of(transport, "peername"), end_of(transport, "sockname")
        refusal = self.house.refusal(self.ends, self)
        if refusal is not None:
            self._turn_away(refusal)
            return
        self.identity = Identity(peer, own)
        self._is_trusted = self.house.is_trusted(peer[0])
        self._expects_proxy = self._is_trusted and self.house.settings.proxy_protocol
        if self._expects_proxy:
            self._timer = self.house.loop.call_later(PROXY_TIMEOUT_S, self._refuse_proxy)
        else:
            self._admit(self.identity)

    def _read_proxy(self) -> None:
        try:
            header = proxy.parse(self._early)
        except proxy.ProxyError as error:
            self._refuse_proxy(str(error))
            return
        if header is None:
            return
        self._expects_proxy = False
        self._cancel_timer()
        self.house.counts.add("proxy_headers")
        early, self._early = self._early[header.used :], b""
        assert self.identity is not None  # noqa: S101 - set before a header is read
        self.identity = header.identity or self.identity
        # A client behind a proxy is any client: it is not trusted with more for where its proxy stands.
        self._is_trusted = self._is_trusted and header.identity is None
        self._admit(self.identity)
        if early:
            self.from_client(early)

    def _refuse_proxy(self, why: str = "none came in time") -> None:
        self.house.counts.add("proxy_headers_refused")
        self.tell("proxy_header_refused", why)
        self._turn_away(None)

    def _turn_away(self, octets: bytes | None) -> None:
        """Close without waiting for the client to: those who are refused would keep others out."""
        self._expects_proxy = False
        self._cancel_timer()
        self._is_over = True
        if octets is not None:
            self.client.write(octets)
        if self.client.transport is not None:
            self.client.transport.close()

    def _admit(self, identity: Identity) -> None:
        if not self.house.admits(identity.client[0], is_trusted=self._is_trusted):
            self._turn_away(REFUSED)
            return
        self.is_admitted = True
        house = self.house
        settings = house.settings
        conduct = house.conduct(identity, is_trusted=self._is_trusted)
        told = identity if settings.identity == "xclient" else None
        approach = Approach(house.hello(), settings.next_hop_tls, told, house.counts)
        self._splice = Splice(self, conduct, approach, house.counts)
        self._view = house.observer.open(identity.client, identity.server)
        self._timer = house.loop.call_later(self._shortest_s, self._look)
        self._start(self._connect())
        if house.is_stopping:
            # Taken by the kernel before it was told to take no more.
            self._splice.stop()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = self.house.loop.create_task(work)

    async def _connect(self) -> None:
        host, port = next_hop_of(self.house.settings)
        try:
            async with asyncio.timeout(self.house.settings.connect_timeout_s):
                await self.house.loop.create_connection(lambda: self.next_hop, host, port)
        except (OSError, TimeoutError, ValueError) as error:  # the last of a name that is none
            is_ours = isinstance(error, TimeoutError) and error.errno is None
            late = f"no answer within {self.house.settings.connect_timeout_s:g} s"
            self.tell("next_hop_not_reached", late if is_ours else reason_of(error))
            if self._splice is not None and self.next_hop.transport is None:
                self._splice.next_hop_failed()
                self.regulate()

    def next_hop_made(self, leg: NextHopLeg) -> None:
        """The next hop has answered the connection; what it says first is waited for already."""
        transport = leg.transport
        assert transport is not None  # noqa: S101 - it has just been made
        if self._is_over or self._splice is None or self._splice.state is State.OVER:
            transport.abort()
            return
        ends = end_of(transport, "sockname"), end_of(transport, "peername")
        if all(port for _, port in ends):
            leg.ends = ends
            self.house.add_own(ends)
        assert self.identity is not None  # noqa: S101 - nobody connects for a client that is not known
        if self.house.settings.identity == "proxy1":
            transport.write(proxy.v1(self.identity))
        elif self.house.settings.identity == "proxy2":
            transport.write(proxy.v2(self.identity))

    # ---- what happens

    def from_client(self, data: bytes) -> None:
        """Octets of the client."""
        if self._expects_proxy:
            self._early += data
            self._read_proxy()
        elif self._splice is not None and not self._is_over:
            self._active_at = self.house.loop.time()
            self._splice.from_client(data)
            self.regulate()

    def from_next_hop(self, data: bytes) -> None:
        """Octets of the next hop."""
        if self._splice is not None:
            self._active_at = self.house.loop.time()
            self._splice.from_next_hop(data)
            self.regulate()

    def client_done(self) -> None:
        """The client has closed its side."""
        self._client_is_done = True
        if self._splice is not None and not self._is_over:
            self._splice.client_done()
        if self._is_over:
            self.client.abort()

    def client_lost(self, *, is_reset: bool) -> None:
        """The client's connection is gone."""
        self._is_reset = is_reset
        self.client.transport = None
        if self._splice is not None and not self._is_over:
            self._splice.client_lost()
        self._leave_if_over()

    def next_hop_lost(self, leg: NextHopLeg) -> None:
        """The next hop's connection is gone."""
        if leg.ends is not None:
            self.house.remove_own(leg.ends)
        leg.transport = None
        if self._splice is not None:
            self._splice.next_hop_lost()
            self.regulate()
        self._leave_if_over()

    def stop(self) -> None:
        """Let the client go as soon as no mail of it is on its way."""
        if self._splice is not None and not self._is_over:
            self._splice.stop()

    def abort(self) -> None:
        """End at once."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
        self.next_hop.abort()
        self.client.abort()
        self._leave_if_over()

    def regulate(self) -> None:
        """Read of each side only what the other can take."""
        if self._splice is not None:
            self.client.read(wanted=self._splice.wants_input and not self.next_hop.is_full)
            self.next_hop.read(wanted=not self.client.is_full)

    def _leave_if_over(self) -> None:
        if self.client.transport is None and (self._is_over or self._splice is None):
            if self._task is not None:
                self._task.cancel()
            if self.next_hop.transport is None:
                self._cancel_timer()
                if self._view is not None:
                    self._view.close(reset=self._is_reset)
                    self._view = None
                self.house.leave(self)

    # ---- time

    def _look(self) -> None:
        """See whether somebody was silent for too long; look again when that may be so."""
        splice = self._splice
        if splice is None or self._is_over:
            return
        settings = self.house.settings
        waits = splice.waits_for_next_hop or self.next_hop.is_full
        limit_s = settings.reply_timeout_s if waits else settings.client_timeout_s
        left_s = self._active_at + limit_s - self.house.loop.time()
        if left_s > 0:
            self._timer = self.house.loop.call_later(min(left_s, self._shortest_s), self._look)
        elif waits:
            splice.next_hop_silent()
            self._timer = self.house.loop.call_later(settings.client_timeout_s, self._look)
        else:
            splice.client_silent()

    @property
    def _shortest_s(self) -> float:
        """How long not to look: whose turn it is, and so which limit holds, may change meanwhile."""
        return min(self.house.settings.reply_timeout_s, self.house.settings.client_timeout_s)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- the port of the splice

    def to_client(self, octets: bytes) -> None:
        self.client.write(octets)

    def to_next_hop(self, octets: bytes) -> None:
        self.next_hop.write(octets)

    def close_client(self) -> None:
        self._is_over = True
        self._cancel_timer()
        transport = self.client.transport
        if transport is None:
            self._leave_if_over()
            return
        self._timer = self.house.loop.call_later(LINGER_S, self.client.abort)
        if transport.is_closing():
            return
        if transport.can_write_eof() and not self._client_is_done:
            transport.write_eof()
            self.client.read(wanted=True)
        else:
            transport.close()

    def close_next_hop(self, *, abort: bool) -> None:
        if self._task is not None and self.next_hop.transport is None:
            self._task.cancel()
        elif abort:
            self.next_hop.abort()
        elif self.next_hop.transport is not None:
            self.next_hop.transport.close()

    def secure_client(self) -> None:
        self._start(self._secure_client())

    async def _secure_client(self) -> None:
        transport, splice = self.client.transport, self._splice
        assert transport is not None  # noqa: S101 - a client that is gone asks for nothing
        assert splice is not None  # noqa: S101 - it is the splice that asks
        secured = await self._start_tls(self.client, self.house.client_tls(), server_side=True, name=None)
        if not secured:
            self.house.counts.add("tls_client_failures")
            self.client.abort()
            return
        if self._view is not None:
            self._view.secured()
        splice.client_secured()
        self.regulate()

    def secure_next_hop(self) -> None:
        self._start(self._secure_next_hop())

    async def _secure_next_hop(self) -> None:
        settings, splice = self.house.settings, self._splice
        assert splice is not None  # noqa: S101 - it is the splice that asks
        name = settings.next_hop_tls_name or next_hop_of(settings)[0]
        if await self._start_tls(self.next_hop, self.house.next_hop_tls, server_side=False, name=name):
            splice.next_hop_secured()
        else:
            self.house.counts.add("tls_next_hop_failures")
            self.next_hop.abort()
            splice.next_hop_lost()
        self.regulate()

    async def _start_tls(
        self, leg: Leg, context: ssl.SSLContext | None, *, server_side: bool, name: str | None
    ) -> bool:
        if leg.transport is None or context is None:
            return False
        try:
            transport = await self.house.loop.start_tls(
                leg.transport,
                leg,
                context,
                server_side=server_side,
                server_hostname=name,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self.tell("client_tls_failed" if server_side else "next_hop_tls_failed", reason_of(error))
            return False
        # None if the connection was lost at the very end of the handshake.
        if transport is None or leg.transport is None:
            return False
        leg.transport, leg.is_reading = transport, True
        return True

    def seen(self, octets: bytes, *, from_client: bool) -> None:
        if self._view is not None:
            self._view.seen(octets, from_client=from_client)

    def tell(self, trouble: str, why: str) -> None:
        self.house.teller.tell(trouble, why)

    def judge(self) -> Ruling:
        return Ruling() if self._view is None else self._view.judge()

    def shortcut(self, rest: Rest) -> Shortcut | None:
        return None if self._view is None else self._view.shortcut(rest)


def next_hop_of(settings: RelaySettings) -> tuple[str, int]:
    """Host and port of the next hop."""
    host, _, port = settings.next_hop.rpartition(":")
    return host.strip("[]"), int(port)


def end_of(transport: asyncio.Transport, name: str) -> tuple[str, int]:
    """The "peername" or "sockname" of a connection, as far as it is known: one that is gone already has none."""
    address = transport.get_extra_info(name) or ("0.0.0.0", 0)  # noqa: S104 - nobody listens there
    return plain_address(address[0]), address[1]


def plain_address(text: str) -> str:
    """An address without a zone, IPv4 in IPv6 as IPv4: a dual-stack socket says both so."""
    address = text.partition("%")[0]
    return address.removeprefix("::ffff:") if address.startswith("::ffff:") and "." in address else address
