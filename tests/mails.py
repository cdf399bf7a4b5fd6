"""
Mails for tests of what stands above the core: an envelope and a raw message become a ``Mail`` that satisfies
``Transaction``.

The header section is read by the standard library, slowly and plainly; the core's reader is tested elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from email import message_from_string, policy
from email.message import Message
from email.utils import getaddresses
from typing import Any

from sensor.classify import builtin_table
from sensor.classify.artifacts import split_subject
from sensor.model import Event, InterestSpec, Outcome, SessionProtocol, TlsStart
from sensor.tally import Tally, tally

START_NS = 1_780_000_000_000_000_000


@dataclass(frozen=True)
class Flow:
    community_id: str = "1:test"
    src_ip: str = "192.0.2.1"
    src_port: int = 40000
    dst_ip: str = "198.51.100.1"
    dst_port: int = 25


@dataclass(frozen=True)
class Session:
    protocol: SessionProtocol | None = "esmtp"
    helo: str | None = None
    auth_user: str | None = None
    tls: bool = False
    client_ip: str | None = "192.0.2.1"
    transaction_index: int = 0


@dataclass(frozen=True)
class Path:
    address: str
    reply_code: int | None = 250
    accepted: bool = True
    orcpt: str | None = None


@dataclass(frozen=True)
class Reply:
    code: int = 250
    enhanced: str | None = None
    text: str = "ok"


@dataclass(frozen=True)
class Header:
    message_id: str | None = None
    from_: Sequence[str] = ()
    sender: str | None = None
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    subject: str | None = None
    date: str | None = None
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    resent_from: Sequence[str] = ()
    delivered_to: Sequence[str] = ()
    list_id: str | None = None
    auto_submitted: str | None = None
    received_count: int = 0
    thread_topic: str | None = None


@dataclass(frozen=True)
class Field:
    name: str
    value: str
    position: int = 0
    received_above: int = 0


@dataclass(frozen=True)
class Received:
    from_: str | None = None
    from_ip: str | None = None
    by: str | None = None
    with_: str | None = None
    for_address: str | None = None
    position: int = 0


@dataclass(frozen=True)
class Attachment:
    filename: str | None
    content_type: str
    size_octets: int


@dataclass(frozen=True)
class Completeness:
    missing_octets: int = 0
    one_sided: bool = False
    midstream: bool = False
    truncated: bool = False


@dataclass(frozen=True)
class Mail:
    """A transaction as a tap would hand it over."""

    id: str = "t1"
    started_at_ns: int = START_NS
    ended_at_ns: int = START_NS + 1_000_000
    flow: Flow = Flow()
    session: Session = Session()
    reverse_path: str | None = "stranger@shop.example"
    forward_paths: Sequence[Path] = (Path("ann@corp.example"),)
    outcome: Outcome = "delivered"
    reply: Reply | None = Reply()
    size_octets: int | None = 1000
    header: Header | None = Header()
    fields: Sequence[Field] = ()
    received: Sequence[Received] = ()
    attachments: Sequence[Attachment] = ()
    attached_messages: int = 0
    content_type: str | None = "text/plain"
    report_type: str | None = None
    calendar_method: str | None = None
    body_digest: str | None = None
    body_octets: int = 1000
    body_marks: Sequence[int] = ()
    labelled_marks: Sequence[int] = ()
    label_languages: Sequence[int] = ()
    reported_addresses: Sequence[str] = ()
    touched: bool = False
    completeness: Completeness = Completeness()
    anomalies: Sequence[str] = ()


@dataclass(frozen=True)
class Tls:
    """A TLS session as a tap would hand it over."""

    id: str = "s1"
    started_at_ns: int = START_NS
    ended_at_ns: int = START_NS + 1_000_000
    flow: Flow = Flow()
    session: Session = Session(tls=True)
    tls_start: TlsStart = "starttls"
    sni: str | None = None
    client_octets: int = 1000
    server_octets: int = 4000
    completeness: Completeness = Completeness()
    anomalies: Sequence[str] = ()


@dataclass
class Batch:
    """A batch as the core gives it; it remembers what it was asked to print."""

    events: list[Event] = field(default_factory=list)
    blocks: dict[int, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def tally(self, *, classify_all: bool) -> Tally:
        return tally(self.events, transaction_type=Mail, session_type=Tls, classify_all=classify_all)

    def to_json_lines(
        self,
        forwardings: Mapping[int, bytes],
        default_forwarding: bytes,
        *,
        sensor: str,
        tap: str,
    ) -> bytes:
        self.blocks = dict(forwardings)
        return b"".join(forwardings.get(index, default_forwarding) + b"\n" for index in range(len(self.events)))


def core_mail(content: str | bytes, *, interest: InterestSpec | None = None, **envelope: Any) -> Mail:
    """
    The mail *content* as the core reads it, with the envelope given: ``reverse_path``, ``forward_paths`` (addresses),
    ``orcpts``, ``helo``, ``client_ip``, and ``reply`` (code, enhanced code, text) if it was refused.
    """
    from sensor import _core
    from sensor.taps.capture import core_interest

    octets = content.encode() if isinstance(content, str) else content
    reply = envelope.pop("reply", None)
    envelope.setdefault("forward_paths", ["ann@corp.example"])
    envelope.setdefault("reverse_path", "stranger@shop.example")
    envelope.setdefault("client_ip", "192.0.2.1")
    spec = interest or builtin_table().interest
    read: Any = _core.parse_message(octets.lstrip(b"\n"), core_interest(spec), **envelope)
    told = Mail(**{each.name: getattr(read, each.name) for each in fields(Mail)})
    if reply is None:
        return told
    code, enhanced, text = reply
    refused = any(mark.lower() in f"{enhanced} {text}".lower() for mark in spec.reply_marks)
    return replace(
        told,
        reply=Reply(code, enhanced, text),
        outcome="rejected",
        touched=told.touched or refused,
    )


def mail(content: str, *, interest: InterestSpec | None = None, **envelope: Any) -> Mail:
    """
    The mail *content* with the envelope given: ``reverse_path``, ``forward_paths`` (addresses), ``helo``,
    ``client_ip``, ``orcpt``; any other name is a field of ``Mail``.
    """
    spec = interest or builtin_table().interest
    message = message_from_string(content.lstrip("\n"), policy=policy.compat32)
    paths = tuple(
        Path(address, orcpt=envelope.get("orcpt")) for address in envelope.pop("forward_paths", ["ann@corp.example"])
    )
    envelope.pop("orcpt", None)
    session = Session(
        helo=envelope.pop("helo", None),
        client_ip=envelope.pop("client_ip", "192.0.2.1"),
    )
    header, fields = _header(message), _fields(message, spec)
    body = _first_text(message).lower()
    marks = tuple(index for index, mark in enumerate(spec.body_marks) if mark.lower() in body)
    attached = sum(part.get_content_type() == "message/rfc822" for part in message.walk())
    reverse_path = envelope.pop("reverse_path", "stranger@shop.example")
    touched = bool(
        fields
        or marks
        or attached
        or any(mark in (reverse_path or "").lower() for mark in spec.reverse_path_marks)
        or split_subject(header.subject)[0] in spec.subject_prefixes
    )
    return Mail(
        session=session,
        reverse_path=reverse_path,
        forward_paths=paths,
        header=header,
        fields=fields,
        received=_received(message),
        attached_messages=attached,
        content_type=message.get_content_type(),
        report_type=_text(message.get_param("report-type")),
        body_marks=marks,
        touched=touched,
        **envelope,
    )


def _header(message: Message) -> Header:
    def addresses(name: str) -> tuple[str, ...]:
        return tuple(address for _, address in getaddresses(message.get_all(name, [])) if address)

    def identifiers(name: str) -> tuple[str, ...]:
        return tuple(re.findall(r"<([^<>]+)>", message.get(name, "")))

    auto_submitted, list_id = message.get("Auto-Submitted"), message.get("List-Id")
    return Header(
        message_id=next(iter(identifiers("Message-ID")), None),
        from_=addresses("From"),
        sender=next(iter(addresses("Sender")), None),
        to=addresses("To"),
        cc=addresses("Cc"),
        subject=message.get("Subject"),
        in_reply_to=next(iter(identifiers("In-Reply-To")), None),
        references=identifiers("References"),
        resent_from=addresses("Resent-From"),
        delivered_to=addresses("Delivered-To"),
        list_id=list_id.strip("<>") if list_id else None,
        auto_submitted=auto_submitted.lower() if auto_submitted else None,
        received_count=len(message.get_all("Received", [])),
        thread_topic=message.get("Thread-Topic"),
    )


def _fields(message: Message, spec: InterestSpec) -> tuple[Field, ...]:
    wanted = {name.lower() for name in spec.fields}
    kept, received = [], 0
    for position, (name, value) in enumerate(message.items()):
        if name.lower() in wanted:
            kept.append(Field(name, value.strip(), position, received))
        received += name.lower() == "received"
    return tuple(kept)


def _received(message: Message) -> tuple[Received, ...]:
    def word(pattern: str, value: str) -> str | None:
        match = re.search(pattern, value)
        return match[1] if match else None

    return tuple(
        Received(
            from_=word(r"^from (\S+)", value),
            from_ip=word(r"\[([0-9a-f.:]+)\]", value),
            by=word(r"\bby (\S+)", value),
            for_address=word(r"\bfor <([^>]+)>", value),
        )
        for value in message.get_all("Received", [])
    )


def _first_text(message: Message) -> str:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            return str(part.get_payload())
    return ""


def _text(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None
