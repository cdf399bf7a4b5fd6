"""Mail in a steady stream over loopback: a server that takes all of it, and a client that notes what it sent when."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from smtplib import SMTP

from tests.craft.dialogue import message


class _TakesAll(socketserver.StreamRequestHandler):
    """A server's side of one session."""

    def handle(self) -> None:
        self._say(b"220 mx.corp.example ESMTP")
        for line in self.rfile:
            match line.split()[0].upper():
                case b"DATA":
                    self._say(b"354 go ahead")
                    while self.rfile.readline() not in (b".\r\n", b""):
                        continue
                    self._say(b"250 2.0.0 Ok: queued")
                case b"QUIT":
                    self._say(b"221 bye")
                    return
                case _:
                    self._say(b"250 ok")

    def _say(self, text: bytes) -> None:
        self.wfile.write(text + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


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
    with _Server(("127.0.0.1", 0), _TakesAll) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        traffic = Traffic(server.server_address[1], mails_a_second, mailboxes)
        sending = threading.Thread(target=traffic.run, daemon=True)
        sending.start()
        try:
            yield traffic
        finally:
            traffic.stop()
            sending.join(60)
            server.shutdown()
            serving.join(60)
