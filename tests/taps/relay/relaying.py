"""A relay of the test's own, on a thread, and a plain client to talk to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from sensor.classify import Organisation, load_table
from sensor.inline import Judge
from sensor.model import Transaction
from sensor.settings import InlineRule, InlineSettings, RelaySettings
from sensor.taps.base import Batch
from sensor.taps.relay.tap import RelayTap

LOOPS = ("asyncio", "uvloop")
PATIENCE_S = 20.0


class Relay:
    """A running relay: where it listens, what it counts, what it saw."""

    def __init__(self, tap: RelayTap) -> None:
        self.tap = tap
        self.port = int(tap.addresses[0].rpartition(":")[2])
        self.events: list[Any] = []
        self._reader = threading.Thread(target=self._read, args=(tap.batches(),))
        self._reader.start()

    def _read(self, batches: Iterator[Batch]) -> None:
        for batch in batches:
            self.events += batch

    def stop(self) -> None:
        self.tap.stop()
        self._reader.join(PATIENCE_S)
        assert not self._reader.is_alive()

    def count(self, name: str) -> int:
        return self.tap.counts[name]

    @property
    def transactions(self) -> list[Transaction]:
        """The mails seen; all of them once it was stopped."""
        return [each for each in self.events if isinstance(each, self.tap.transaction_type)]


@contextmanager
def relaying(
    next_hop: int | str,
    *,
    rules: Sequence[InlineRule] = (),
    inline: InlineSettings | None = None,
    limits: Mapping[str, int] | None = None,
    **settings: Any,
) -> Iterator[Relay]:
    """A relay to the next hop on that port of 127.0.0.1, with those settings; stopped if the test did not."""
    where = next_hop if isinstance(next_hop, str) else f"127.0.0.1:{next_hop}"
    how = RelaySettings(**{"listen": "127.0.0.1:0", "next_hop": where, "drain_s": 5.0, **settings})
    table = load_table(())
    policy = inline or InlineSettings(rules=tuple(rules), verdict_timeout_ms=2_000)
    judge = Judge(table, Organisation(("corp.example",), ()), policy)
    relay = Relay(RelayTap(how, table.interest, judge=judge, inline=policy, limits=limits))
    try:
        yield relay
    finally:
        relay.stop()


class Client:
    """Says octets and reads replies. Each reply comes as its code, with ``text`` holding the last whole."""

    def __init__(self, port: int, address: str = "127.0.0.1", source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((address, port), timeout=PATIENCE_S, source_address=(source, 0))
        self._buffer = b""
        self.text = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def reply(self) -> int:
        """The next reply's code; 0 for the end of the connection."""
        lines = b""
        while True:
            line = self._line()
            lines += line
            if not line:
                self.text = lines
                return 0
            if line[3:4] != b"-":
                self.text = lines
                return int(line[:3])

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            try:
                more = self.socket.recv(65_536)
            except ConnectionResetError:
                more = b""
            if not more:
                return b""
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"

    def ask(self, line: bytes) -> int:
        """Say a line and read its reply."""
        self.send(line + b"\r\n")
        return self.reply()

    def hello(self, verb: bytes = b"EHLO") -> int:
        """Read the banner and greet."""
        banner = self.reply()
        assert banner == 220, self.text
        return self.ask(verb + b" client.partner.example")

    def mail(
        self, content: bytes, sender: bytes = b"ann@corp.example", recipients: Sequence[bytes] = (b"bob@corp.example",)
    ) -> int:
        """Send a mail, whose *content* ends with a line's end, and read the reply to its dot."""
        assert self.ask(b"MAIL FROM:<" + sender + b">") == 250, self.text
        for each in recipients:
            assert self.ask(b"RCPT TO:<" + each + b">") == 250, self.text
        assert self.ask(b"DATA") == 354, self.text
        self.send(content + b".\r\n")
        return self.reply()

    def at_end(self) -> bool:
        """True if the other side has closed, and nothing more was said."""
        return self.reply() == 0 and not self.text
