"""
A next hop that misbehaves as it is told, and writes down each mail before it answers for it.

At each stage (connect, banner, EHLO, MAIL, RCPT, DATA, content, dot, committed, or any verb) it may be told to say
something else, to be silent, or to be gone.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

SILENT, RESET, CLOSE = "silent", "reset", "close"

Fault = bytes | str | float
"""What is said in place of the usual, ``SILENT``, ``RESET``, ``CLOSE``, or a pause in seconds before the usual."""

OFFERS = b"250-next.corp.example\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n"
_USUAL = {
    "banner": b"220 next.corp.example ESMTP\r\n",
    "EHLO": OFFERS,
    "LHLO": OFFERS,
    "DATA": b"354 Go on\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
    "dot": b"250 2.0.0 Ok: kept\r\n",
}
_MESSAGE_ID = re.compile(rb"(?im)^Message-ID:[ \t]*<([^>]*)>")


class _Gone(Exception):  # noqa: N818 - not an error: what the test asked for
    pass


@dataclass
class NextHop:
    """A running one. ``kept`` are the contents it answers for, as they came; ``ids`` counts their Message-IDs."""

    faults: Mapping[str, Fault] = field(default_factory=dict)
    commit_s: float = 0.0
    is_lmtp: bool = False
    port: int = 0
    kept: list[bytes] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            await self._converse(reader, writer)
        except (_Gone, asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer(writer, "connect", b"")
        await self._answer(writer, "banner", _USUAL["banner"])
        accepted = 0
        while line := await reader.readline():
            self.heard.append(line)
            verb = line.split()[0].decode("latin-1").upper() if line.split() else ""
            accepted = 0 if verb in ("MAIL", "EHLO", "LHLO", "RSET") else accepted
            said = await self._answer(writer, verb, _USUAL.get(verb, b"250 2.0.0 Ok\r\n"))
            accepted += verb == "RCPT" and said.startswith(b"25")
            if verb == "QUIT":
                return
            if verb == "DATA" and said.startswith(b"354"):
                await self._take(reader, writer, accepted)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, accepted: int) -> None:
        if "content" in self.faults:
            await reader.read(1)
            said = await self._answer(writer, "content", b"")
            if said:
                await reader.readuntil(b"\r\n.\r\n")
                return
        content = await reader.readuntil(b"\r\n.\r\n")
        await self._answer(writer, "dot", b"")
        if self.commit_s:
            await asyncio.sleep(self.commit_s)
        if not isinstance(self.faults.get("dot"), bytes):
            self.kept.append(content[:-3])
            found = _MESSAGE_ID.search(content)
            if found:
                self.ids[found[1].decode()] += 1
        if isinstance(self.faults.get("dot"), bytes):
            return
        await self._answer(writer, "committed", _USUAL["dot"] * (accepted if self.is_lmtp else 1))

    async def _answer(self, writer: asyncio.StreamWriter, stage: str, usual: bytes) -> bytes:
        fault = self.faults.get(stage, usual)
        if isinstance(fault, float):
            await asyncio.sleep(fault)
            fault = usual
        if fault == RESET:
            # Closing a socket that lingers for no time resets it (socket(7)).
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise _Gone
        if fault == CLOSE:
            raise _Gone
        if fault == SILENT:
            await asyncio.sleep(3_600)
        assert isinstance(fault, bytes)
        if fault:
            writer.write(fault)
            await writer.drain()
        return fault


@contextmanager
def next_hop(
    faults: Mapping[str, Fault] | None = None, *, commit_s: float = 0.0, is_lmtp: bool = False
) -> Iterator[NextHop]:
    """One that listens on 127.0.0.1, on a thread of its own."""
    server = NextHop(dict(faults or {}), commit_s, is_lmtp)
    with on_a_thread(server.serve) as port:
        server.port = port
        yield server


@contextmanager
def on_a_thread(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], limit: int = 1 << 26
) -> Iterator[int]:
    """A server on 127.0.0.1 whose connections *serve* handles; its port. *limit* octets of a client are read ahead."""
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    started = threading.Event()

    async def run() -> None:
        await asyncio.start_server(serve, sock=listener, limit=limit)
        started.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(run())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        listener.close()
