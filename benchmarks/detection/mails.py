"""
Mails of the simulation: what their senders and servers write, and the transactions that the core makes of them.

A ``Mail`` is a mail on one hop: its envelope, its content, and the two hosts. ``octets_of`` gives its content as it
crosses the wire, header fields as real servers write them, and the core reads that, as it reads captured mail. Nothing
but the content, the envelope and the times goes into a verdict: ``note`` and ``case`` are for the score alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.detection.chance import DAY_MS, START_MS
from sensor import _core
from sensor.classify import builtin_table
from sensor.model import Outcome, SessionProtocol
from sensor.taps.capture import core_interest

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Nov", "Dec", "Jan", "Feb")
_MONTH_LENGTHS = (30, 31, 31, 28)


@dataclass(slots=True)
class Mail:
    """
    One mail on one hop. *top* are the fields that hops put on top, *more* those that the author's side wrote.

    ``octets`` is the size that is told of it: bodies are short here, so that a month of mail is quickly made. A mail
    that is not ``is_seen`` never passes where the sensor stands.
    """

    at_ms: int
    reverse_path: str
    recipients: tuple[str, ...]
    author: str
    to: tuple[str, ...]
    subject: str
    message_id: str
    body: str
    octets: int = 20_000
    cc: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    top: str = ""
    more: str = ""
    content_type: str = "text/plain; charset=utf-8"
    helo: str = "gw1.corp.example"
    client_ip: str = "10.0.0.11"
    server_ip: str = "10.0.1.20"
    orcpt: str | None = None
    refused: tuple[int, str, str] | None = None
    note: str = "person"
    case: int | None = None
    is_seen: bool = True


def octets_of(mail: Mail) -> bytes:
    """The content of *mail*, lines ended by CRLF, dots not stuffed."""
    parents = mail.parents
    references = f"In-Reply-To: <{parents[-1]}>\r\nReferences: <{'> <'.join(parents)}>\r\n" if parents else ""
    cc = f"Cc: {', '.join(mail.cc)}\r\n" if mail.cc else ""
    return (
        f"{mail.top}From: {mail.author}\r\nTo: {', '.join(mail.to)}\r\n{cc}Subject: {mail.subject}\r\n"
        f"Date: {date_of(mail.at_ms)}\r\nMessage-ID: <{mail.message_id}>\r\n{references}{mail.more}"
        f"MIME-Version: 1.0\r\nContent-Type: {mail.content_type}\r\n\r\n{mail.body}"
    ).encode()


def date_of(at_ms: int) -> str:
    """The time as a header field has it (RFC 5322 3.3)."""
    day, rest = divmod(at_ms - START_MS, DAY_MS)
    seconds = rest // 1_000
    return f"{_date(day)} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} +0000"


@cache
def _date(day: int) -> str:
    month, of_month, year = 0, day + 2, 2026
    while of_month > _MONTH_LENGTHS[month]:
        of_month -= _MONTH_LENGTHS[month]
        month += 1
        year += month == 2
    return f"{_DAYS[day % 7]}, {of_month} {_MONTHS[month]} {year}"


def received(at_ms: int, *, from_: str, from_ip: str, by: str, number: int, for_: str | None = None) -> str:
    """A Received line as Postfix writes it (RFC 5321 4.4)."""
    recipient = f"\r\n\tfor <{for_}>" if for_ else ""
    return (
        f"Received: from {from_} ({from_} [{from_ip}])\r\n\tby {by} (Postfix) with ESMTPS id {number:X}{recipient};"
        f" {date_of(at_ms)}\r\n"
    )


# ---- what the sensor is handed


class Path:
    """One RCPT with its own verdict."""

    __slots__ = ("accepted", "address", "orcpt", "reply_code")

    def __init__(self, address: str, reply_code: int | None, orcpt: str | None) -> None:
        self.address = address
        self.reply_code = reply_code
        self.accepted = reply_code is not None and reply_code < 300
        self.orcpt = orcpt


@dataclass(frozen=True, slots=True)
class Flow:
    """Client and server of a session."""

    src_ip: str
    dst_ip: str
    community_id: str = "1:simulated"
    src_port: int = 40_000
    dst_port: int = 25


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a session."""

    helo: str | None
    client_ip: str | None
    tls: bool = False
    protocol: SessionProtocol | None = "esmtp"
    auth_user: str | None = None
    transaction_index: int = 0


@dataclass(frozen=True, slots=True)
class Completeness:
    """What was not seen."""

    missing_octets: int = 0
    one_sided: bool = False
    midstream: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply that decided a transaction."""

    code: int = 250
    enhanced: str | None = "2.0.0"
    text: str = "Ok: queued"


WHOLE = Completeness()
_TAKEN = Reply()


class Sight:
    """One mail transaction that the sensor saw. What its content shows is read by the core."""

    __slots__ = (
        "_header", "_read", "completeness", "ended_at_ns", "flow", "forward_paths", "id", "outcome", "reply",
        "reverse_path", "session", "size_octets", "started_at_ns", "touched",
    )  # fmt: skip
    anomalies: Sequence[str] = ()

    def __init__(self, mail: Mail, number: int, missing_octets: int) -> None:
        read = _core.parse_message(
            octets_of(mail),
            _interest(),
            reverse_path=mail.reverse_path,
            forward_paths=mail.recipients,
            orcpts=[mail.orcpt] * len(mail.recipients) if mail.orcpt else (),
            helo=mail.helo,
            client_ip=mail.client_ip,
        )
        self._read: Any = read
        self._header: Any = None
        self.id = f"{number:032x}"
        self.started_at_ns = mail.at_ms * 1_000_000
        self.ended_at_ns = self.started_at_ns + 40_000_000
        self.flow = _flow(mail.client_ip, mail.server_ip)
        self.session = _session(mail.helo, mail.client_ip)
        self.reverse_path = mail.reverse_path
        self.forward_paths = [Path(address, 250, mail.orcpt) for address in mail.recipients]
        self.size_octets = mail.octets
        self.completeness = Completeness(missing_octets, truncated=True) if missing_octets else WHOLE
        self.touched = read.touched
        self.outcome: Outcome = "delivered"
        self.reply = _TAKEN
        if mail.refused is not None:
            self._refuse(mail.refused)

    def _refuse(self, refused: tuple[int, str, str]) -> None:
        code, enhanced, text = refused
        self.outcome, self.reply = "rejected", Reply(code, enhanced, text)
        said = f"{enhanced} {text}".lower()
        self.touched = self.touched or any(mark.lower() in said for mark in builtin_table().interest.reply_marks)

    @property
    def header(self) -> Any:
        header = self._header
        if header is None:
            header = self._header = self._read.header
        return header

    def __getattr__(self, name: str) -> Any:
        # What is not of the session, and so known here, the core draws from the content.
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "body_digest" and self.completeness.missing_octets:
            return None
        return getattr(self._read, name)


class TlsSight:
    """A session that turned to TLS: what stayed visible."""

    __slots__ = ("client_octets", "ended_at_ns", "flow", "id", "session", "started_at_ns")
    tls_start = "starttls"
    sni: str | None = None
    server_octets = 5_000
    completeness = WHOLE
    anomalies: Sequence[str] = ()

    def __init__(self, mail: Mail, number: int) -> None:
        self.id = f"{number:032x}"
        self.started_at_ns = mail.at_ms * 1_000_000
        self.ended_at_ns = self.started_at_ns + 60_000_000
        self.flow = _flow(mail.client_ip, mail.server_ip)
        self.session = replace(_session(mail.helo, mail.client_ip), tls=True)
        self.client_octets = mail.octets + 2_000


@cache
def _interest() -> _core.Interest:
    return core_interest(builtin_table().interest)


@cache
def _flow(src_ip: str, dst_ip: str) -> Flow:
    return Flow(src_ip, dst_ip)


@cache
def _session(helo: str, client_ip: str) -> Session:
    return Session(helo, client_ip)
