"""A sender that keeps mail until it is taken, as an MTA does: it goes on after each refusal and lost connection."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

PATIENCE_S = 60.0
_RETRY_S = 0.02


@dataclass
class Sender:
    """
    Sends *mails*, each with a Message-ID of its own, over *sessions* connections at once. ``acked`` are those that were
    taken; ``cut`` counts, by mail, the times that an answer to its dot did not come.
    """

    port: int
    mails: int
    sessions: int = 40
    octets: int = 2_000
    acked: list[str] = field(default_factory=list)
    cut: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    async def send_all(self) -> None:
        """Return when every mail was taken."""
        waiting: asyncio.Queue[str] = asyncio.Queue()
        for number in range(self.mails):
            waiting.put_nowait(f"mail-{number}@corp.example")
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            for _ in range(self.sessions):
                group.create_task(self._session(waiting))

    async def _session(self, waiting: asyncio.Queue[str]) -> None:
        while len(self.acked) < self.mails:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                await self._converse(reader, writer, waiting)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                await asyncio.sleep(_RETRY_S)
            finally:
                writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: asyncio.Queue[str]
    ) -> None:
        await _expect(reader, 220)
        await _ask(reader, writer, b"EHLO sender.partner.example", 250)
        while len(self.acked) < self.mails:
            try:
                mail = waiting.get_nowait()
            except asyncio.QueueEmpty:
                # The last ones are on their way in other sessions, and may come back.
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                await self._send(reader, writer, mail)
                self.acked.append(mail)
            except BaseException:
                waiting.put_nowait(mail)
                raise

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mail: str) -> None:
        await _ask(reader, writer, b"MAIL FROM:<ann@corp.example>", 250)
        await _ask(reader, writer, b"RCPT TO:<bob@partner.example>", 250)
        await _ask(reader, writer, b"DATA", 354)
        writer.write(b"Message-ID: <" + mail.encode() + b">\r\n\r\n" + b"x" * self.octets + b"\r\n.\r\n")
        try:
            await _expect(reader, 250)
        except ValueError:
            self.refused += 1
            self.cut[mail] += 1  # 451: the relay may not know either
            raise
        except (OSError, asyncio.IncompleteReadError):
            self.cut[mail] += 1
            raise


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes, code: int) -> None:
    writer.write(line + b"\r\n")
    await _expect(reader, code)


async def _expect(reader: asyncio.StreamReader, code: int) -> None:
    line = b"000-"
    while line[3:4] == b"-":
        line = await reader.readuntil(b"\n")
    if int(line[:3]) != code:
        raise ValueError(line.decode("latin-1"))
