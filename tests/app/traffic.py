"""Mail in a steady stream over loopback: a server that takes all of it, and a client that notes what it sent when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from smtplib import SMTP

from tests.craft.dialogue import message
from tests.mailserver import mail_server


@dataclass(slots=True)
class Traffic:
    """
    One session a mail, each mail to a mailbox of its own among *mailboxes* in turn.

    ``sent`` holds, by number, when its session had ended (``time.monotonic``).
    """

    port: int
    mails_a_second: float
    mailboxes: int
    sent: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def mailbox(self, number: int) -> str:
        return f"box{number % self.mailboxes}@corp.example"

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(max(0.0, began + len(self.sent) / self.mails_a_second - time.monotonic())):
            self._send(len(self.sent))
            self.sent.append(time.monotonic())

    def _send(self, number: int) -> None:
        text = message(f"Mail {number}", to=self.mailbox(number), message_id=f"{number}.{self.port}@a.example")
        with SMTP("127.0.0.1", self.port, local_hostname="a.example", timeout=30) as client:
            client.sendmail("ann@a.example", [self.mailbox(number)], text)


@contextmanager
def steady(mails_a_second: float, mailboxes: int) -> Iterator[Traffic]:
    """Traffic for as long as the context lasts, on a port of its own."""
    with mail_server() as port:
        traffic = Traffic(port, mails_a_second, mailboxes)
        sending = threading.Thread(target=traffic.run, daemon=True)
        sending.start()
        try:
            yield traffic
        finally:
            traffic.stop()
            sending.join(60)
