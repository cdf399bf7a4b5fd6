"""An SMTP server that takes every mail and keeps none."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def mail_server(listener: socket.socket | None = None) -> Iterator[int]:
    """Serve *listener*, by default a port of loopback, while the context lasts; its port."""
    with listener or socket.create_server(("127.0.0.1", 0)) as bound, _Server(bound) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield bound.getsockname()[1]
        finally:
            server.shutdown()
            serving.join()


class _Session(socketserver.StreamRequestHandler):
    """The server's side of one."""

    def handle(self) -> None:
        self._say(b"220 mx.corp.example ESMTP")
        for line in self.rfile:
            match line[:4].upper():
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
    """On a socket that listens already, in whichever network it was opened."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("", 0), _Session, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
