"""Listens, admits sessions, and lets them go: what all sessions of a relay share."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
from collections import Counter
from ipaddress import ip_address
from typing import Any

from sensor.errors import why_not_listening
from sensor.log import Log
from sensor.settings import RelaySettings, split_listen
from sensor.taps.base import TapError
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.identity import Identity
from sensor.taps.relay.legs import Ends
from sensor.taps.relay.observer import Observer
from sensor.taps.relay.port import Conduct
from sensor.taps.relay.session import LINGER_S, LOOP_REFUSED, REFUSED, Session, next_hop_of, plain_address
from sensor.taps.relay.tls import client_certificate, next_hop_context
from sensor.taps.sharing import SHARED, is_shared
from sensor.taps.telling import Teller

BACKLOG = 1_024
"""Connections that the kernel holds for us: some milliseconds of a flood."""


class RelayServer:
    """
    A relay on an event loop. Several may share a port, in one process or many (SO_REUSEPORT).

    Made on any thread, with its socket bound: whatever refuses that is known before anything runs. Raises ``TapError``.
    """

    def __init__(
        self,
        settings: RelaySettings,
        observer: Observer,
        counts: Counts,
        *,
        judges: bool = False,
        tag_name: bytes | None = None,
        log: Log | None = None,
    ) -> None:
        self.settings, self.observer, self.counts = settings, observer, counts
        self._log = log or Log()
        self._certificate = client_certificate(settings, self._log)
        self.next_hop_tls = next_hop_context(settings)
        self.is_stopping = self._is_listening = False
        self._judges = judges
        self.teller = Teller(self._log, "relay")
        self._tag_name = tag_name
        self._hello_name = settings.hello_name or socket.gethostname()
        self._token = _token(self._hello_name, settings)
        self._sessions: set[Session] = set()
        # Those that were not turned away at once, and of them, by client, those that are served.
        self._let_in: set[Session] = set()
        self._admitted: Counter[str] = Counter()
        # Our connections to the next hop, and those of clients: one that is both is we ourselves. Both ends count: a
        # client on this machine may well have the port that one of ours has, since they lead to different places.
        self._own: set[Ends] = set()
        self._clients: dict[Ends, Session] = {}
        self._all_gone = asyncio.Event()
        self.sockets = bound(settings.listen)
        refuse_own_listener(settings, self.sockets)

    # ---- its life

    def listen(self) -> None:
        """Let clients in: from here on the kernel holds them until ``run`` takes them. May be called again."""
        if self._is_listening:
            return
        self._is_listening = True
        for each in self.sockets:
            each.listen(BACKLOG)
            if is_shared(each):
                self._log.warning("port_shared", at=self.settings.listen, why=SHARED)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until *stop* is set, then let the sessions end within ``drain_s``."""
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(self._tell_fault)
        servers = [await self.loop.create_server(self._accept, sock=each, backlog=BACKLOG) for each in self.sockets]
        await stop.wait()
        # What the kernel has accepted for this socket would be reset with it: a turn takes it in.
        await asyncio.sleep(0)
        self.is_stopping = True
        for server in servers:
            server.close()
        await self._drain()

    async def _drain(self) -> None:
        for session in tuple(self._sessions):
            session.stop()
        await self._empty(self.settings.drain_s)
        for session in tuple(self._sessions):
            session.abort()
        await self._empty(LINGER_S)

    async def _empty(self, within_s: float) -> None:
        """Wait until the last session is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._sessions:
                    self._all_gone.clear()
                    await self._all_gone.wait()

    def _tell_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error of our own. The loop closes the connection that it befell, so no mail is taken by it."""
        self.counts.add("faults")
        error = context.get("exception")
        # Its kind alone: an error's text may quote the mail.
        self._log.error("relay_fault", why=context.get("message", "") if error is None else type(error).__name__)

    def _accept(self) -> asyncio.Protocol:
        session = Session(self)
        self._sessions.add(session)
        return session.client

    # ---- what sessions ask

    def refusal(self, ends: Ends, session: Session) -> bytes | None:
        """What the connection of *session* is answered, if it can't be taken."""
        self._clients[ends] = session
        if ends in self._own:
            self.counts.add("loops_refused")
            return LOOP_REFUSED
        if len(self._let_in) >= self.settings.max_sessions:
            self.counts.add("sessions_refused")
            self.teller.tell("sessions_refused", "relay.max_sessions are open")
            return REFUSED
        self._let_in.add(session)
        return None

    def admits(self, client: str, *, is_trusted: bool) -> bool:
        """True if one more session of that client may be open; it then counts as open."""
        if not is_trusted and self._admitted[client] >= self.settings.max_sessions_per_client:
            self.counts.add("sessions_refused")
            self.counts.add("sessions_refused_of_client")
            self.teller.tell("sessions_refused", "relay.max_sessions_per_client of one client are open")
            return False
        self._admitted[client] += 1
        self.counts.add("sessions")
        return True

    def is_trusted(self, address: str) -> bool:
        """True if *address* may tell who its clients are."""
        parsed = ip_address(address)
        return any(parsed in network for network in self.settings.trusted_peers)

    def client_tls(self) -> ssl.SSLContext | None:
        """For the next handshake with a client; none where none is offered."""
        return None if self._certificate is None else self._certificate.context()

    def conduct(self, identity: Identity, *, is_trusted: bool) -> Conduct:
        """How a client's session is treated."""
        return Conduct(
            offers_tls=self._certificate is not None,
            requires_tls=self.settings.tls == "require",
            is_trusted=is_trusted,
            judges=self._judges,
            tag_name=self._tag_name,
            refuses_smuggling=self.settings.smuggling == "refuse",
            xforward=identity if self.settings.identity == "xforward" else None,
            token=self._token,
        )

    def hello(self) -> bytes:
        """The relay's own greeting of the next hop."""
        verb = b"LHLO" if self.settings.next_hop_protocol == "lmtp" else b"EHLO"
        return verb + b" " + self._token + b"." + self._hello_name.encode("ascii", "replace") + b"\r\n"

    def add_own(self, ends: Ends) -> None:
        """A connection to the next hop was made. It may have been taken by ourselves before that was heard of."""
        self._own.add(ends)
        if ends in self._clients:
            self.counts.add("loops_refused")
            self._clients[ends].abort()

    def remove_own(self, ends: Ends) -> None:
        self._own.discard(ends)

    def leave(self, session: Session) -> None:
        """A session is over."""
        if session not in self._sessions:
            return
        self._sessions.remove(session)
        self._let_in.discard(session)
        self._clients.pop(session.ends, None)
        if session.is_admitted and session.identity is not None:
            client = session.identity.client[0]
            self._admitted[client] -= 1
            if not self._admitted[client]:
                del self._admitted[client]
        if not self._sessions:
            self._all_gone.set()


def bound(listen: str) -> list[socket.socket]:
    """Sockets bound to *listen*, which others may share. Raises ``TapError``."""
    host, port = split_listen(listen)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(address)
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise TapError(f"relay.listen {listen}: {why_not_listening(error)}") from None
    return sockets


def refuse_own_listener(settings: RelaySettings, sockets: list[socket.socket]) -> None:
    """A relay whose next hop is itself would call itself until nothing is left. Raises ``TapError``."""
    host, port = next_hop_of(settings)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        # A name that can't be looked up now may be later; each session tries.
        return
    next_hops = {plain_address(str(address[0])) for *_, address in found}
    for listener in sockets:
        own, own_port = listener.getsockname()[:2]
        if port == own_port and any(_reaches(each, plain_address(own)) for each in next_hops):
            for each in sockets:
                each.close()
            raise TapError(f"relay.next_hop {settings.next_hop}: that is where the relay itself listens")


def _reaches(next_hop: str, own: str) -> bool:
    """True if a connection to *next_hop* reaches a listener on *own*."""
    if next_hop == own:
        return True
    return ip_address(own).is_unspecified and _is_local(next_hop)


def _is_local(address: str) -> bool:
    """True if this machine has *address*: only then can it be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _token(name: str, settings: RelaySettings) -> bytes:
    """What this relay is known by to itself; the same for all processes that share its port."""
    text = f"{name}\0{settings.listen}\0{settings.next_hop}"
    return b"relay-" + hashlib.sha256(text.encode()).hexdigest()[:16].encode("ascii")
