"""
Syslog, RFC 5424, over UDP (RFC 5426), TCP with octet counting (RFC 6587 3.4.1) and TLS (RFC 5425).

Syslog has no answers. Over TCP and TLS a batch counts as delivered once the other system's TCP has acknowledged all of
it and the connection still stands; what its syslog process then loses is out of sight. Over UDP it counts once sent,
unless the other host says that nobody listens. Who needs certainty takes the webhook.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import ssl
import struct
import sys
from collections.abc import Sequence
from math import ceil
from typing import Any, Protocol

from sensor.alert.record import AlertRecord
from sensor.alert.sinks.base import Delivered, PlainAsyncSink
from sensor.alert.sinks.reasons import reason_of
from sensor.alert.sinks.syslog_message import Form
from sensor.alert.sinks.tls import tls_context
from sensor.settings import SyslogSettings

PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
"""Where no other is set, by transport."""

# The most that every receiver should take: RFC 5426 3.2, RFC 5425 4.3.1.
_MOST_OCTETS = {"udp": 2_048, "tcp": 8_192, "tls": 8_192}

ICMP_WAIT_S = 0.05
"""How long a datagram's refusal is waited for. It comes from hosts nearby, and then within milliseconds."""

_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.001, 0.05
# Linux: ioctl(2) for the octets sent and not acknowledged yet, and the first octet of TCP_INFO for an open connection.
_SIOCOUTQ = 0x5411
_ESTABLISHED = 1


FRESH_WAIT_S = {"tcp": 0.1, "tls": 1.0}
"""
How long a new connection is looked at before it is trusted, by transport; a quarter of the time for a batch at most. A
proxy accepts before it knows whether somebody is behind it. A receiver that does not like our certificate says so after
the handshake (RFC 8446 4.4.2.4), which takes a round trip and its own time: what was sent by then would be lost.
"""


class _Channel(Protocol):
    """A way to the receiver. Raises ``OSError`` where nothing was sent, ``_DoubtError`` where that is open."""

    async def open(self) -> None: ...
    async def send(self, messages: Sequence[bytes]) -> None: ...
    async def close(self) -> None: ...


class _DoubtError(Exception):
    """What was sent may have arrived; the text says what went wrong."""


class SyslogSink(PlainAsyncSink):
    """Sends each record as one message."""

    batch = 64

    def __init__(self, settings: SyslogSettings, *, host_name: str | None = None) -> None:
        self.name = settings.name
        self._timeout_s = settings.timeout_s
        port = settings.port or PORTS[settings.transport]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._where = f"{settings.transport}://{host}:{port}"
        self._form = Form(
            facility=settings.facility,
            host_name=host_name or socket.gethostname(),
            process_id=os.getpid(),
            enterprise_number=settings.enterprise_number,
            max_octets=settings.max_octets or _MOST_OCTETS[settings.transport],
        )
        self._channel = _channel(settings, port)
        self._closed = False

    async def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        if self._closed:
            return Delivered(0, problem="the sink is closed")
        if not batch:
            return Delivered(0)
        opened = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._channel.open()
                opened = True
                await self._channel.send([self._form.message(record) for record in batch])
        except _DoubtError as error:
            await self._channel.close()
            return Delivered(0, unsure=len(batch), problem=f"{self._where}: {error}")
        except TimeoutError:
            await self._channel.close()
            unsure = len(batch) if opened else 0
            return Delivered(0, unsure=unsure, problem=f"{self._where}: not taken within {self._timeout_s:g} s")
        except OSError as error:
            await self._channel.close()
            return Delivered(0, problem=f"{self._where}: {reason_of(error)}")
        return Delivered(len(batch))

    async def close(self) -> None:
        self._closed = True
        await self._channel.close()


def _channel(settings: SyslogSettings, port: int) -> _Channel:
    if settings.transport == "udp":
        return _Datagrams(settings.host, port)
    context = tls_context(settings.tls) if settings.transport == "tls" else None
    fresh_s = min(FRESH_WAIT_S[settings.transport], settings.timeout_s / 4)
    return _Stream(settings.host, port, context, fresh_s=fresh_s)


class _Refusals(asyncio.DatagramProtocol):
    """Remembers what the network said of a datagram."""

    def __init__(self) -> None:
        self.error: OSError | None = None

    def error_received(self, exc: Exception) -> None:
        self.error = exc if isinstance(exc, OSError) else None


class _Datagrams:
    """One message a datagram, RFC 5426 3.1."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._transport: asyncio.DatagramTransport | None = None
        self._refusals = _Refusals()

    async def open(self) -> None:
        if self._transport is None:
            loop = asyncio.get_running_loop()
            self._refusals = _Refusals()
            made = await loop.create_datagram_endpoint(lambda: self._refusals, remote_addr=self._address)
            self._transport = made[0]

    async def send(self, messages: Sequence[bytes]) -> None:
        if self._transport is None:
            raise ConnectionAbortedError("no socket")
        for message in messages:
            self._transport.sendto(message)
        await asyncio.sleep(ICMP_WAIT_S)
        if self._refusals.error is not None:
            raise self._refusals.error

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


class _Stream:
    """One connection, opened when it is needed, looked at for *fresh_s* seconds before it is trusted."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, *, fresh_s: float) -> None:
        self._host, self._port, self._context, self._fresh_s = host, port, context, fresh_s
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        # A turn of the loop, in which an end that came meanwhile is seen.
        await asyncio.sleep(0)
        if self._open():
            return
        await self.close()
        self._ends = await asyncio.open_connection(self._host, self._port, ssl=self._context)
        looks = ceil(self._fresh_s / _LONGEST_LOOK_S)
        for _ in range(looks):
            await asyncio.sleep(self._fresh_s / looks)
            if not self._open():
                raise ConnectionAbortedError("the receiver closes the connection as soon as it stands")

    async def send(self, messages: Sequence[bytes]) -> None:
        if self._ends is None:
            raise ConnectionAbortedError("no connection")
        writer = self._ends[1]
        try:
            writer.write(b"".join(b"%d %s" % (len(message), message) for message in messages))
            await writer.drain()
            await self._acknowledged(writer.transport)
        except OSError as error:
            raise _DoubtError(reason_of(error)) from None

    async def close(self) -> None:
        if self._ends is not None:
            # What was sent is acknowledged or given up: nothing is left to be waited for.
            self._ends[1].transport.abort()
            self._ends = None

    async def _acknowledged(self, transport: asyncio.WriteTransport) -> None:
        """Wait until the other system has acknowledged every octet. Raises ``_DoubtError`` where it goes away."""
        look_s = _FIRST_LOOK_S
        while transport.get_write_buffer_size() or _unacknowledged(transport):
            if not self._open():
                break
            await asyncio.sleep(look_s)
            look_s = min(2 * look_s, _LONGEST_LOOK_S)
        await asyncio.sleep(0)
        if not self._open():
            raise _DoubtError("the connection ended while it was sent to")

    def _open(self) -> bool:
        if self._ends is None:
            return False
        reader, writer = self._ends
        if writer.is_closing() or reader.at_eof() or reader.exception() is not None:
            return False
        return _established(writer.transport)


def _unacknowledged(transport: asyncio.WriteTransport) -> int:
    """Octets that the other system has not acknowledged; 0 where this system does not tell."""
    sock: Any = transport.get_extra_info("socket")
    if sys.platform != "linux" or sock is None or sock.fileno() < 0:
        return 0
    told = fcntl.ioctl(sock.fileno(), _SIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", told)[0])


def _established(transport: asyncio.WriteTransport) -> bool:
    """False once the other side has closed or reset, though nothing was read of it yet."""
    sock: Any = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    if sys.platform != "linux":
        return True
    return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED)
