"""
The SMTP server that copies are handed to: aiosmtpd's, with what would lose copies put right.

- What fails here is answered 451, never 5xx: the sender keeps the copy (its own answer is 500).
- Addresses are taken as they stand between their brackets; some that are in use are malformed to it (553).
- Lines of mail and of commands may be longer than RFC 5321 4.5.3.1 asks, as other servers take them (500).
- AUTH is not offered: peers are known by their networks, or not at all.
- It logs nothing: what it would log holds addresses and mail.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable

from aiosmtpd.smtp import SMTP, Envelope, Session

from sensor.settings import JournalSettings
from sensor.taps.journal.copy import Copy
from sensor.taps.journal.gate import Gate
from sensor.taps.journal.limits import Bounds

RECORDED = "250 2.0.0 Recorded"
FAILED = "451 4.3.0 Not recorded, try again later"
NOT_WRITTEN = "451 4.3.0 The record could not be written, try again later"

_TOO_LONG = (b"500 Command line too long", b"500 Line too long")
"""How aiosmtpd begins its answer to a line of a command or of mail that is too long."""

logging.getLogger("mail").addHandler(logging.NullHandler())
logging.getLogger("mail").propagate = False

TakeIn = Callable[[Copy], Awaitable[bool]]
"""Given a copy; true when the records of what it tells are on disk."""


class Handler:
    """What is answered to the commands of one session."""

    def __init__(self, gate: Gate, take_in: TakeIn, failed: Callable[[Exception], None]) -> None:
        self._gate, self._take_in, self._failed = gate, take_in, failed
        self._held_octets = 0

    def release(self) -> None:
        """The mail at hand is over, or its session is."""
        self._gate.end(self._held_octets)
        self._held_octets = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [each for each in responses if not each.startswith("250-AUTH")]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.release()
        size = next((each[5:] for each in options if each.startswith("SIZE=")), "0")
        refused = self._gate.begin(int(size))
        if refused is not None:
            return refused
        self._held_octets = int(size)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self._gate.recipient(address, len(envelope.rcpt_tos))
        if refused is None:
            envelope.rcpt_tos.append(address)
        return refused or "250 2.1.5 OK"

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.release()
        return "250 2.0.0 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        ours = tuple(filter(self._gate.is_ours, envelope.rcpt_tos))
        others = tuple(each for each in envelope.rcpt_tos if each not in ours)
        content, envelope.content, envelope.original_content = envelope.original_content or b"", None, None
        try:
            copy = Copy(content, (envelope.mail_from or "").strip("<>"), ours, others)
            return RECORDED if await self._take_in(copy) else NOT_WRITTEN
        finally:
            self.release()

    async def handle_exception(self, error: Exception) -> str:
        self._failed(error)
        return FAILED


class Endpoint(SMTP):
    """One session. *gate* decides who may begin one; *over* is told when it has ended."""

    def __init__(
        self,
        handler: Handler,
        gate: Gate,
        settings: JournalSettings,
        bounds: Bounds,
        context: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
        hostname: str,
        over: Callable[[Endpoint], object],
    ) -> None:
        self.line_length_limit = bounds.line_octets
        self.command_size_limit = bounds.command_octets
        super().__init__(
            handler,
            data_size_limit=settings.mail_octets,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="ESMTP",
            tls_context=context,
            require_starttls=settings.tls == "require",
            timeout=settings.timeout_s,
            loop=loop,
        )
        # The class has one table for all sessions, which each EHLO lets grow.
        self.command_size_limits = defaultdict(lambda: bounds.command_octets)
        self._bounds = bounds
        self._gate, self._handler, self._over = gate, handler, over
        self._peer: str | None = None
        self._connection: asyncio.WriteTransport | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called for the connection, and again for the TLS in it."""
        if self._peer is None:
            assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - what asyncio gives a stream's protocol
            self._connection = transport
            peer = transport.get_extra_info("peername")
            address = str(peer[0]) if peer else ""
            refused = self._gate.admit(address)
            if refused is not None:
                self._refused = True
                transport.write(refused.encode("ascii") + b"\r\n")
                transport.close()
                return
            self._peer = address
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        return False if self._refused else super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._over(self)
        if self._refused:
            return
        if self._peer is not None:
            self._gate.leave(self._peer)
            self._peer = None
        self._handler.release()
        super().connection_lost(error)

    async def push(self, status: str | bytes) -> None:
        """Answer. That a line was too long is told nowhere else."""
        octets = status.encode() if isinstance(status, str) else status
        self._bounds.reached["lines_refused"] += octets.startswith(_TOO_LONG)
        await super().push(octets)

    def close(self) -> None:
        """End the session where it stands: its sender has no answer, and keeps the mail."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """The same, without waiting for anybody."""
        if self._connection is not None:
            self._connection.abort()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address between the brackets, whatever it looks like, and the parameters behind them."""
        if not arg.startswith("<"):
            address, _, rest = arg.partition(" ")
            return address, rest
        end = _closing_bracket(arg)
        if end < 0:
            return None, None
        # What is empty would be a syntax error to the caller.
        return arg[1:end] or "<>", arg[end + 1 :]


def _closing_bracket(text: str) -> int:
    """Where the bracket closes that *text* begins with; a local part in quotes may hold one. -1 if nowhere."""
    quoted = False
    skip = False
    for place, letter in enumerate(text):
        if skip:
            skip = False
        elif letter == "\\" and quoted:
            skip = True
        elif letter == '"':
            quoted = not quoted
        elif letter == ">" and not quoted:
            return place
    # A quote that never ends is no quote.
    return text.find(">")
