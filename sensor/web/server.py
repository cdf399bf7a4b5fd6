"""
The HTTP server: a loop on a thread of its own, so that no client, slow or hostile, holds up a capture.

Every connection has a deadline at every time: a head has to come whole within ``HEAD_S``, an answer has to be made and
taken within ``ANSWER_S``, and between two requests ``KEEP_ALIVE_S`` may pass. Where all places are taken, the
connection that has waited longest without a request gives way: whoever opens connections and says nothing keeps nobody
out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from sensor.errors import why_not_listening
from sensor.log import Log
from sensor.metrics import WEB_FAMILIES, Counts
from sensor.settings import SettingsError, WebSettings, split_listen
from sensor.web.app import Web, make_app
from sensor.web.auth import Doorkeeper
from sensor.web.config import WatchedConfig, WebConfigError
from sensor.web.face import Face
from sensor.web.guard import Guard

HEAD_S = 10.0
"""For the head of a request to arrive: seconds are plenty on any link that metrics are scraped over."""

ANSWER_S = 90.0
"""For an answer to be made and taken: a reload takes up to a minute."""

KEEP_ALIVE_S = 75
"""Between requests: longer than scrapes are apart, so that each finds its connection open."""

HEAD_OCTETS = 16_384
"""Of a request's head. Ours have some hundred; credentials and proxies add a few thousand."""

CHECK_EVERY_S = 1.0
"""How often the web config file is looked at."""

LOOPBACK = ("127.", "::1", "localhost")


class WebServer:
    """Serves on a socket that is bound already. ``start`` once, ``stop`` before the end."""

    def __init__(self, listener: Listener, settings: WebSettings, face: Face, config: WatchedConfig, log: Log):
        self._spoken = listener.spoken
        self._listener, self._settings, self._config, self._log = listener, settings, config, log
        self._counts = Counts(WEB_FAMILIES)
        self._doorkeeper = Doorkeeper()
        web = Web(face, self._counts, allow_reload=face.allows_reload)
        app = Guard(
            make_app(web),
            users=lambda: config.current.users,
            paths=web.paths,
            counts=self._counts,
            doorkeeper=self._doorkeeper,
            log=log,
        )
        self._uvicorn = _uvicorn_config(app)
        self._state = ServerState()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping, self._renewed = asyncio.Event(), asyncio.Event()
        self._waiting: dict[Patient, None] = {}
        self._open: set[Patient] = set()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def address(self) -> str:
        """As a URL."""
        host, port = self._listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._config.current.tls else 'http'}://{shown}:{port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End within some seconds, whatever clients do."""
        if self._loop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # its loop ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(5.0)
        self._doorkeeper.close()
        self._listener.close()

    # ---- on the thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - without this face the capture goes on, and somebody should know
            self._log.error("web_died", why=f"{type(error).__name__}: {error}")

    async def _serve(self) -> None:
        """Serve until told to stop; a new certificate takes a new server on the same socket."""
        self._loop = asyncio.get_running_loop()
        # What clients send wrong is counted; a line for each would let them fill the log.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._loop.set_exception_handler(self._tell_fault)
        watching = asyncio.create_task(self._watch())
        while not self._stopping.is_set():
            self._renewed.clear()
            server = await self._loop.create_server(
                lambda: Patient(self, self._uvicorn, self._state, {}),
                sock=self._listener.twin(),
                ssl=self._config.context,
                ssl_handshake_timeout=HEAD_S if self._config.context is not None else None,
                backlog=self._settings.connections,
            )
            ends = [asyncio.create_task(each.wait()) for each in (self._stopping, self._renewed)]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in ends:
                each.cancel()
            # Its socket is closed, ours is not: who comes meanwhile waits for the next. Who is there already stays.
            server.close()
        watching.cancel()
        for connection in tuple(self._open):
            connection.abort()

    async def _watch(self) -> None:
        """Read the web config file anew when it changes."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            context = self._config.context
            try:
                if self._config.look():
                    self._counts.add("web_config_reloads", 1, "applied")
                    self._log.info("web_config_reloaded")
            except (WebConfigError, OSError) as error:
                self._counts.add("web_config_reloads", 1, "refused")
                self._log.error("web_config_refused", why=error)
            if self._config.context is not context:
                self._renewed.set()

    def _tell_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What went wrong outside of an answer: what clients do (OSError, ssl.SSLError among them) is only counted."""
        error = context.get("exception")
        self._counts.add("http_rejected_connections", 1, "fault")
        if not isinstance(error, OSError):
            self._log.error("web_fault", what=context.get("message"), why=f"{type(error).__name__}: {error}")

    # ---- connections

    def admit(self, connection: Patient) -> None:
        """A connection came; where there is no room, one goes."""
        self._open.add(connection)
        self._spoken.add(connection.number)
        self._waiting[connection] = None
        if len(self._open) > self._settings.connections:
            self.close(next(iter(self._waiting)), "full")
        self._counts.set("http_connections", len(self._open))

    def close(self, connection: Patient, reason: str) -> None:
        """Close it at once, whatever it was about to say."""
        self._counts.add("http_rejected_connections", 1, reason)
        self.forget(connection)
        connection.abort()

    def forget(self, connection: Patient) -> None:
        self._open.discard(connection)
        self._spoken.discard(connection.number)
        self._waiting.pop(connection, None)
        self._counts.set("http_connections", len(self._open))

    def is_waiting(self, connection: Patient, waits: bool) -> None:
        """Note whether a connection has a request that is not answered yet."""
        self._waiting.pop(connection, None)
        if waits and connection in self._open:
            self._waiting[connection] = None


class Patient(H11Protocol):
    """A connection whose patience ends: see the module."""

    def __init__(self, server: WebServer, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._web = server
        self._deadline: asyncio.TimerHandle | None = None
        self._is_asking = False
        self._kind = ""
        self.number = -1

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent
        super().connection_made(transport)
        self.number = transport.get_extra_info("socket").fileno()
        self._wait(HEAD_S, "slow_head")
        self._web.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._web.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_asking = self._is_asking
        super().data_received(data)
        if not was_asking and self._has_request():
            self._is_asking = True
            self._web.is_waiting(self, False)
            self._wait(ANSWER_S, "slow_reader")
        elif not was_asking and self._deadline is not None and self._kind == "idle":
            # The first octets of another request.
            self._wait(HEAD_S, "slow_head")

    def on_response_complete(self) -> None:
        self._is_asking = False
        self._web.is_waiting(self, True)
        # What the client does not take of the answer is in the buffer still, and closing would wait for it.
        self._wait(KEEP_ALIVE_S + HEAD_S, "idle")
        super().on_response_complete()
        if self._has_request():
            self._is_asking = True
            self._web.is_waiting(self, False)
            self._wait(ANSWER_S, "slow_reader")

    def _has_request(self) -> bool:
        """True if a request came whole and is not answered whole."""
        cycle: RequestResponseCycle | None = self.cycle  # none before the first
        return cycle is not None and not cycle.response_complete

    def abort(self) -> None:
        self.transport.abort()

    def _wait(self, seconds: float, reason: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._kind = reason
        self._deadline = self.loop.call_later(seconds, self._web.close, self, reason)


class Listener(socket.socket):
    """
    Accepts at most so many connections more than have come to speak: those that are still shaking hands (TLS). Beyond
    it the oldest of them gives way.
    """

    def __init__(self, family: int, room: int, spoken: set[int], fileno: int | None = None) -> None:
        super().__init__(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, fileno=fileno)
        self.spoken = spoken
        self._room = room
        self._accepted: list[socket.socket] = []

    def twin(self) -> Listener:
        """The same listening socket under another number, for a server that closes what it was given."""
        return Listener(self.family, self._room, self.spoken, os.dup(self.fileno()))

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        self._accepted = [each for each in self._accepted if each.fileno() != -1]
        silent = [each for each in self._accepted if each.fileno() not in self.spoken]
        if len(silent) >= self._room:
            with suppress(OSError):  # it went by itself
                silent[0].shutdown(socket.SHUT_RDWR)
        self._accepted.append(connection)
        return connection, address


def _uvicorn_config(app: ASGIApp) -> uvicorn.Config:
    made = uvicorn.Config(
        app,
        http=H11Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        h11_max_incomplete_event_size=HEAD_OCTETS,
    )
    made.load()
    return made


@contextmanager
def open_web(settings: WebSettings, face: Face, log: Log, *, listener: Listener | None = None) -> Iterator[WebServer]:
    """
    A server on ``settings.listen``, not started; its port is bound, or *listener* was for it. Raises ``UserError``: for
    an address that others can reach, where nobody has to say who they are and the settings do not allow that, among
    others.
    """
    config = WatchedConfig(settings.config_file)
    host, _ = split_listen(settings.listen)
    if not host.startswith(LOOPBACK) and not config.current.asks_who and not settings.allow_without_auth:
        raise SettingsError(
            f"web.listen: {settings.listen} can be reached from other machines, without authentication; set "
            "web.config_file to a file with basic_auth_users, or web.allow_without_auth = true"
        )
    server = WebServer(listener or bound(settings), settings, face, config, log)
    try:
        yield server
    finally:
        server.stop()


def bound(settings: WebSettings) -> Listener:
    """
    A socket bound to ``settings.listen``: made apart, since a low port takes a right that is gone when more is opened.

    Raises ``SettingsError`` where the port can't be had.
    """
    host, port = split_listen(settings.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = Listener(family, settings.connections, set())
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1" if host == "localhost" else host, port))
        listener.listen(settings.connections)
    except OSError as error:
        listener.close()
        raise SettingsError(f"web.listen: {settings.listen}: {why_not_listening(error)}") from None
    return listener
