"""
What mail in line costs the loop that hands it over: the core's part of each mail, on one thread.

    python -m benchmarks.inline_core [--octets 10240] [--piece 4096] [--mails 20000]

*fed* is a relay's way (both sides' octets), *begun* a milter's (envelope, then content). Each without and with the
question before the final dot what the mail would be recorded as. What is told is taken every 100 mails and let go.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from sensor.classify import builtin_table
from sensor.taps.inline import InlineCore

ENDS = {"client": ("192.0.2.1", 40_000), "server": ("198.51.100.2", 25)}
HEADER = (
    b"Received: from out.src.example (out.src.example [192.0.2.7])\r\n\tby mx.dst.example with ESMTPS id 4F2A1B3C4D\r\n"
    b"\tfor <ann@dst.example>; Sun, 22 Nov 2026 01:04:19 +0100\r\nFrom: Bo Example <bo@src.example>\r\n"
    b"To: Ann <ann@dst.example>\r\nSubject: minutes\r\nDate: Sun, 22 Nov 2026 01:04:17 +0100\r\n"
    b"Message-ID: <1.a@src.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
)
LINE = b"The quick brown fox jumps over the lazy dog, and has a rest.\r\n"


class Fed:
    """One session that goes on for all mails."""

    def __init__(self, pieces: list[bytes], *, asks: bool) -> None:
        self.core, self._pieces, self._asks = InlineCore(builtin_table().interest), pieces, asks
        self._session = self.core.open(client=ENDS["client"], server=ENDS["server"], at_ns=0)
        self._say(False, b"220 mx ESMTP\r\n")
        self._say(True, b"EHLO a.example\r\n")
        self._say(False, b"250-mx\r\n250 PIPELINING\r\n")

    def _say(self, from_client: bool, octets: bytes) -> None:
        self.core.feed(self._session, octets, from_client=from_client, at_ns=1)

    def mail(self) -> None:
        self._say(True, b"MAIL FROM:<bo@src.example> SIZE=10240\r\nRCPT TO:<ann@dst.example>\r\nDATA\r\n")
        self._say(False, b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n")
        for piece in self._pieces:
            self._say(True, piece)
        if self._asks:
            self.core.provisional(self._session)
        self._say(True, b".\r\n")
        self._say(False, b"250 2.0.0 Queued\r\n")


class Begun:
    """Every mail by its envelope."""

    def __init__(self, pieces: list[bytes], *, asks: bool) -> None:
        self.core, self._pieces, self._asks = InlineCore(builtin_table().interest), pieces, asks

    def mail(self) -> None:
        core = self.core
        mail = core.begin(
            at_ns=1,
            **ENDS,
            protocol="esmtp",
            helo="a.example",
            reverse_path="<bo@src.example>",
            forward_paths=[("<ann@dst.example>", 250, None, True, None)],
        )
        for piece in self._pieces:
            core.content(mail, piece)
        if self._asks:
            core.drafted(mail)
        core.end(mail, at_ns=2, outcome="delivered", reply=(250, "2.0.0", "Queued"))


def microseconds(way: Fed | Begun, mails: int) -> float:
    """Of processor time for each mail: the least of five rounds."""
    return min(_round(way.mail, way.core, mails) for _ in range(5)) / mails * 1e6


def _round(mail: Callable[[], None], core: InlineCore, mails: int) -> float:
    began = time.process_time()
    for number in range(mails):
        mail()
        if number % 100 == 0:
            core.take()
    return time.process_time() - began


def main() -> None:
    """Measure both ways, each without and with the question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--octets", type=int, default=10_240, help="of each mail's content")
    parser.add_argument("--piece", type=int, default=4_096, help="octets handed over at a time")
    parser.add_argument("--mails", type=int, default=20_000)
    wanted = parser.parse_args()
    content = HEADER + LINE * max(0, (wanted.octets - len(HEADER)) // len(LINE))
    pieces = [content[at : at + wanted.piece] for at in range(0, len(content), wanted.piece)]
    print(f"mails of {len(content):,} octets in {len(pieces)} pieces, us of processor time each")
    for way in (Fed, Begun):
        for asks in (False, True):
            label = way.__name__.lower() + (", asked before its final dot" if asks else "")
            print(f"{label:<36}{microseconds(way(pieces, asks=asks), wanted.mails):>6.1f}")


if __name__ == "__main__":
    main()
