"""A journal that takes copies in while a test sends some, and settles what it tells as the test says."""

from __future__ import annotations

import io
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sensor.classify import builtin_table
from sensor.log import Log
from sensor.model import Event
from sensor.settings import JournalSettings
from sensor.taps.awaited import AwaitedBatch
from sensor.taps.journal.tap import JournalTap

OURS = "journal@sensor.example"


@dataclass
class Serving:
    """``settles``: what batches are answered with; none leaves them unanswered."""

    tap: JournalTap
    settles: bool | None = True
    events: list[Event] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    batches: list[AwaitedBatch] = field(default_factory=list)
    unsettled: list[AwaitedBatch] = field(default_factory=list)

    @property
    def counters(self) -> dict[str, int]:
        return {
            name.removeprefix("journal_"): number
            for name, number in self.tap.counters().items()
            if name.startswith("journal_") and number
        }

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP(*self.tap.address, local_hostname="mail.corp.example", timeout=10)

    def send(self, content: bytes, reverse_path: str = "sue@other.example", to: str = OURS) -> tuple[int, bytes]:
        """The reply to the end of one mail's data."""
        with self.client() as client:
            client.ehlo()
            assert client.mail(reverse_path)[0] == 250
            assert client.rcpt(to)[0] == 250
            return client.data(content)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.tap.address, timeout=10)

    def read(self) -> None:
        for batch in self.tap.batches():
            if not len(batch):
                continue
            assert isinstance(batch, AwaitedBatch)
            self.batches.append(batch)
            self.lines.append(batch.to_json_lines({}, b"{}", sensor="s", tap="journal"))
            self.events += list(batch)
            if self.settles is not None:
                batch.settle(self.settles)
            else:
                self.unsettled.append(batch)


@contextmanager
def serving(
    log: io.StringIO | None = None,
    *,
    clock: Callable[[], int] = time.time_ns,
    limits: Mapping[str, int] | None = None,
    **options: Any,
) -> Iterator[Serving]:
    settings = JournalSettings(**{"listen": "127.0.0.1:0", "addresses": (OURS,), **options})
    tap = JournalTap(builtin_table().interest, settings, own_limits=limits, log=Log(log or io.StringIO()), clock=clock)
    served = Serving(tap)
    reader = threading.Thread(target=served.read)
    reader.start()
    try:
        yield served
    finally:
        tap.stop()
        reader.join(20)
        assert not reader.is_alive()
