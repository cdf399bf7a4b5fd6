"""The probe: a small mail that says what it is, and how a mail server answers to it."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import BinaryIO
from uuid import uuid4

SUBJECT = "Mailflow Sensor probe"
_PATIENCE_S = 30.0
"""For each reply. A relay or milter that holds mail up longer is what a probe is to find."""

_WHOLE_S = 120.0
"""For all of them: a server that says an octet now and then is given up as well."""

_REPLY_OCTETS = 256 << 10
"""Of all replies to one mail; usual ones take one KiB."""

_BODY = "This mail was sent by `mailsensor check --probe-mail`, to see whether the sensor sees it. Delete it."


@dataclass(frozen=True, slots=True)
class ProbeMail:
    """
    From whom to whom, and the mail server that takes it. ``as_forward``: it looks like a mail that the sender's mailbox
    forwards, and counts as one. ``login`` is ``name:password`` for the sensor's HTTP face, "" for none.
    ``patience_s`` is how long the sensor may take to show it.
    """

    sender: str
    recipient: str
    host: str
    port: int
    as_forward: bool = False
    login: str = field(default="", repr=False)
    patience_s: float = 15.0
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def message_id(self) -> str:
        """Of the sender's domain, as in any mail of its: filters look at that."""
        return f"mailsensor-probe.{self.token}@{self.sender.rpartition('@')[2]}"

    @property
    def content(self) -> bytes:
        """The mail itself. What stands in it was checked to be ASCII without line ends."""
        fields = [
            f"From: Mailflow Sensor <{self.sender}>",
            # Forwarded mail was written to the mailbox that forwards it.
            f"To: <{self.sender if self.as_forward else self.recipient}>",
            f"Subject: {SUBJECT}",
            f"Date: {formatdate()}",
            f"Message-ID: <{self.message_id}>",
            # RFC 3834 5: nothing that answers mail by itself answers this one.
            "Auto-Submitted: auto-generated",
        ]
        if self.as_forward:
            # As Gmail's forwarding writes it: the fields that name mailbox and destination both.
            marks = [f"X-Forwarded-To: {self.recipient}", f"X-Forwarded-For: {self.sender} {self.recipient}"]
            fields = [*marks, *fields]
        return "\r\n".join([*fields, "", _BODY, ""]).encode("ascii")


class RefusedError(Exception):
    """The server does not take the mail: the command (``.`` for its end), and what was answered."""

    def __init__(self, command: str, code: int, text: bytes) -> None:
        self.command, self.code = command, code
        self.text = " ".join(text.decode("ascii", "backslashreplace").split())[:300]
        super().__init__(f"{code} {self.text}, to {command}")

    @property
    def is_for_content(self) -> bool:
        """True where all of it had been shown before it was refused."""
        return self.command == "."


def send(probe: ProbeMail) -> str:
    """
    Send it in clear, so that a tap on the wire sees it; in TLS where the server takes it no other way.

    What the server said. Raises ``RefusedError``, or ``OSError`` and ``smtplib.SMTPException`` where it does not get
    that far.
    """
    with _session(probe) as session:
        session.ehlo_or_helo_if_needed()
        code, text = session.mail(probe.sender)
        # RFC 3207 4: "530 Must issue a STARTTLS command first".
        if code == 530 and session.has_extn("starttls"):
            _start_tls(session, probe.host)
            code, text = session.mail(probe.sender)
        _expect("MAIL", code, text)
        _expect("RCPT", *session.rcpt(probe.recipient))
        try:
            code, text = session.data(probe.content)
        except smtplib.SMTPDataError as error:
            said = error.smtp_error
            raise RefusedError("DATA", error.smtp_code, said.encode() if isinstance(said, str) else said) from None
        _expect(".", code, text)
        return f"{code} {' '.join(text.decode('ascii', 'backslashreplace').split())[:300]}"


@contextmanager
def _session(probe: ProbeMail) -> Iterator[smtplib.SMTP]:
    """With it ends the connection, too; what the server says to QUIT does not matter any more."""
    session = smtplib.SMTP(timeout=_PATIENCE_S)
    session.sock = socket.create_connection((probe.host, probe.port), _PATIENCE_S)
    giving_up = threading.Timer(_WHOLE_S, _shut, [session])
    giving_up.daemon = True
    giving_up.start()
    try:
        _bound(session)
        code, text = session.getreply()
        if code != 220:
            raise RefusedError("the connection", code, text)
        yield session
        session.putcmd("quit")
    finally:
        giving_up.cancel()
        session.close()


def _start_tls(session: smtplib.SMTP, host: str) -> None:
    """Nothing that came before the handshake counts behind it (RFC 3207 4.2)."""
    _expect("STARTTLS", *session.docmd("STARTTLS"))
    if session.sock is not None:
        session.sock = _unverified().wrap_socket(session.sock, server_hostname=host)
    _bound(session)
    _expect("EHLO", *session.ehlo())


def _shut(session: smtplib.SMTP) -> None:
    """Whoever reads from it gets its end."""
    # It may be closed by now.
    with suppress(OSError, AttributeError):
        session.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


def _bound(session: smtplib.SMTP) -> None:
    """The library bounds lines of a reply, and not how many there are."""
    if session.sock is not None:
        session.file = _Replies(session.sock.makefile("rb"))


class _Replies:
    """What a server says, up to ``_REPLY_OCTETS``; then it is given up."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _REPLY_OCTETS

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise smtplib.SMTPException(f"it says more than {_REPLY_OCTETS >> 10} KiB")
        return line

    def close(self) -> None:
        self._file.close()


def _unverified() -> ssl.SSLContext:
    """The mail holds no secret, and certificates of mail servers seldom verify (RFC 7435)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _expect(command: str, code: int, text: bytes) -> None:
    if not 200 <= code < 300:
        raise RefusedError(command, code, text)
