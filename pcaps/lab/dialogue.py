"""
A client that says exactly what a case tells it to, and insists on the reply the case expects.

An ordinary SMTP library decides too much by itself (what to pipeline, how to cut the content, when to quit). A reply
with another code than expected ends the case with an error: what a case claims in its `case.toml` is what the server
really answered.
"""

import socket
import ssl
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Reply:
    """One reply: its code and the text of its lines."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines, joined by a blank."""
        return " ".join(self.lines)


class Dialogue:
    """One client's side of a session; as a context manager it closes the connection at its end, without QUIT."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """Send octets as they are, in one write."""
        self._socket.sendall(octets)

    def expect(self, *codes: int) -> list[Reply]:
        """Read one reply for each code, in order; any other code is an error."""
        replies = []
        for code in codes:
            reply = self._read_reply()
            if reply.code != code:
                raise RuntimeError(f"expected {code}, got {reply}")
            replies.append(reply)
        return replies

    def say(self, line: str, code: int) -> Reply:
        """Send one command line and read its reply."""
        self.send(line.encode() + b"\r\n")
        return self.expect(code)[0]

    def pipeline(self, *steps: tuple[str, int]) -> None:
        """Send several command lines in one write, then read their replies."""
        self.send(b"".join(line.encode() + b"\r\n" for line, _ in steps))
        self.expect(*(code for _, code in steps))

    def greet(self, name: str, verb: str = "EHLO") -> Reply:
        """Read the banner and send the greeting; the reply tells the extensions."""
        self.expect(220)
        return self.say(f"{verb} {name}", 250)

    def envelope(self, reverse_path: str, *forward_paths: str) -> None:
        """MAIL and RCPTs, step by step, all accepted."""
        self.say(f"MAIL FROM:<{reverse_path}>", 250)
        for path in forward_paths:
            self.say(f"RCPT TO:<{path}>", 250)

    def content(self, message: bytes, code: int = 250) -> Reply:
        """DATA, the message with its dots stuffed, the final dot, and the reply to it."""
        self.say("DATA", 354)
        self.send(stuffed(message))
        return self.expect(code)[0]

    def quit(self) -> None:
        """QUIT, and wait until the server closes."""
        self.say("QUIT", 221)
        self._reader.read()

    def start_tls(self, server_name: str) -> None:
        """Shake hands as a client that trusts any certificate; what follows goes through TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._reader.close()
        self._socket = context.wrap_socket(self._socket, server_hostname=server_name)
        self._reader = self._socket.makefile("rb")

    def reset(self) -> None:
        """Tear the connection down with a RST, as a killed client with unread octets does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _read_reply(self) -> Reply:
        lines: list[str] = []
        while True:
            line = self._reader.readline()
            if not line.endswith(b"\n"):
                raise RuntimeError(f"the server closed in a reply, after {lines}")
            lines.append(line[4:].decode().rstrip("\r\n"))
            if line[3:4] != b"-":
                return Reply(int(line[:3]), tuple(lines))


def stuffed(message: bytes) -> bytes:
    """A message as it travels in DATA: dots at the start of lines doubled, the final dot added (RFC 5321 4.5.2)."""
    body = message if message.endswith(b"\r\n") else message + b"\r\n"
    dotted = body.replace(b"\r\n.", b"\r\n..")
    return (b"." if body.startswith(b".") else b"") + dotted + b".\r\n"
