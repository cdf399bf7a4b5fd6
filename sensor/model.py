"""
The nouns: a mail transaction, what forwarding it shows, and the records that are written and read back.

``Transaction`` and ``TlsSession`` are protocols: the core's lazy classes satisfy them, and so do the record types
here, which mirror the JSON of a record line key by key. Nothing in this module does I/O or keeps state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

Kind = Literal["none", "auto", "visible", "both"]
Level = Literal["user", "admin", "either", "unknown"]
Evidence = Literal["conclusive", "strong", "weak"]
Direction = Literal["outbound", "inbound", "internal", "transit", "unknown"]
Outcome = Literal["delivered", "rejected", "deferred", "aborted", "unknown"]
SessionProtocol = Literal["smtp", "esmtp", "lmtp"]
TlsStart = Literal["starttls", "x-anonymoustls", "implicit"]
TapName = Literal["pcap", "live", "relay", "milter", "journal"]


# ---- what a tap hands over: read-only views, satisfied by the core's classes


class FlowView(Protocol):
    """Client and server of a session; ``src`` is the SMTP client."""

    @property
    def community_id(self) -> str: ...
    @property
    def src_ip(self) -> str: ...
    @property
    def src_port(self) -> int: ...
    @property
    def dst_ip(self) -> str: ...
    @property
    def dst_port(self) -> int: ...


class SessionView(Protocol):
    """What is known of the session a transaction belongs to."""

    @property
    def protocol(self) -> SessionProtocol | None: ...
    @property
    def helo(self) -> str | None: ...
    @property
    def auth_user(self) -> str | None: ...
    @property
    def tls(self) -> bool: ...
    @property
    def client_ip(self) -> str | None: ...
    @property
    def transaction_index(self) -> int: ...


class ForwardPathView(Protocol):
    """One RCPT with its own verdict."""

    @property
    def address(self) -> str: ...
    @property
    def reply_code(self) -> int | None: ...
    @property
    def accepted(self) -> bool: ...
    @property
    def orcpt(self) -> str | None: ...


class ReplyView(Protocol):
    """The reply that decided a transaction."""

    @property
    def code(self) -> int: ...
    @property
    def enhanced(self) -> str | None: ...
    @property
    def text(self) -> str: ...


class HeaderView(Protocol):
    """The common header fields; bare addresses, decoded text."""

    @property
    def message_id(self) -> str | None: ...
    @property
    def from_(self) -> Sequence[str]: ...
    @property
    def sender(self) -> str | None: ...
    @property
    def to(self) -> Sequence[str]: ...
    @property
    def cc(self) -> Sequence[str]: ...
    @property
    def reply_to(self) -> Sequence[str]: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def date(self) -> str | None: ...
    @property
    def in_reply_to(self) -> str | None: ...
    @property
    def references(self) -> Sequence[str]: ...
    @property
    def resent_from(self) -> Sequence[str]: ...
    @property
    def delivered_to(self) -> Sequence[str]: ...
    @property
    def list_id(self) -> str | None: ...
    @property
    def auto_submitted(self) -> str | None: ...
    @property
    def received_count(self) -> int: ...
    @property
    def thread_topic(self) -> str | None: ...


class FieldView(Protocol):
    """A header field kept raw because the artifact table names it; position 0 is the topmost field."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def received_above(self) -> int: ...


class ReceivedView(Protocol):
    """One Received line (RFC 5321 4.4)."""

    @property
    def from_(self) -> str | None: ...
    @property
    def from_ip(self) -> str | None: ...
    @property
    def by(self) -> str | None: ...
    @property
    def with_(self) -> str | None: ...
    @property
    def for_address(self) -> str | None: ...
    @property
    def position(self) -> int: ...


class AttachmentView(Protocol):
    """One attachment: name, type and decoded size."""

    @property
    def filename(self) -> str | None: ...
    @property
    def content_type(self) -> str: ...
    @property
    def size_octets(self) -> int: ...


class CompletenessView(Protocol):
    """What was not seen of a record."""

    @property
    def missing_octets(self) -> int: ...
    @property
    def one_sided(self) -> bool: ...
    @property
    def midstream(self) -> bool: ...
    @property
    def truncated(self) -> bool: ...


class Transaction(Protocol):
    """
    One mail transaction (RFC 5321 3.3), whatever became of it.

    ``touched`` false means that nothing the artifact table names occurs, so that no row can match.
    """

    @property
    def id(self) -> str: ...
    @property
    def started_at_ns(self) -> int: ...
    @property
    def ended_at_ns(self) -> int: ...
    @property
    def flow(self) -> FlowView: ...
    @property
    def session(self) -> SessionView: ...
    @property
    def reverse_path(self) -> str | None: ...
    @property
    def forward_paths(self) -> Sequence[ForwardPathView]: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def reply(self) -> ReplyView | None: ...
    @property
    def size_octets(self) -> int | None: ...
    @property
    def header(self) -> HeaderView | None: ...
    @property
    def fields(self) -> Sequence[FieldView]: ...
    @property
    def received(self) -> Sequence[ReceivedView]: ...
    @property
    def attachments(self) -> Sequence[AttachmentView]: ...
    @property
    def attached_messages(self) -> int: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def report_type(self) -> str | None: ...
    @property
    def calendar_method(self) -> str | None: ...
    @property
    def body_digest(self) -> str | None: ...
    @property
    def body_octets(self) -> int: ...
    @property
    def body_marks(self) -> Sequence[int]: ...
    @property
    def labelled_marks(self) -> Sequence[int]: ...
    @property
    def label_languages(self) -> Sequence[int]: ...
    @property
    def reported_addresses(self) -> Sequence[str]: ...
    @property
    def touched(self) -> bool: ...
    @property
    def completeness(self) -> CompletenessView: ...
    @property
    def anomalies(self) -> Sequence[str]: ...


class TlsSession(Protocol):
    """A session that turned to TLS: what stayed visible."""

    @property
    def id(self) -> str: ...
    @property
    def started_at_ns(self) -> int: ...
    @property
    def ended_at_ns(self) -> int: ...
    @property
    def flow(self) -> FlowView: ...
    @property
    def session(self) -> SessionView: ...
    @property
    def tls_start(self) -> TlsStart: ...
    @property
    def sni(self) -> str | None: ...
    @property
    def client_octets(self) -> int: ...
    @property
    def server_octets(self) -> int: ...
    @property
    def completeness(self) -> CompletenessView: ...
    @property
    def anomalies(self) -> Sequence[str]: ...


Event = Transaction | TlsSession

MissedWhy = Literal["unshown", "unread", "dropped"]
"""The MTA did not show it; it could not be read, or its session not be followed; there was no room for its record."""


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """
    Mail that passed a tap in line and is in no record: so many ``mails`` at least, and when.

    ``mailboxes`` are those known to have sent or got it, in lower case. With no ``mails`` they are those of mail that
    was told before: an MTA logs whom a mail is for after it was queued.
    """

    at_ms: int
    why: MissedWhy
    mails: int = 1
    mailboxes: tuple[str, ...] = ()


# ---- what classification asks for, and what it says


class InterestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a tap should look for in mail; a mail's ``body_marks`` are places in the ``body_marks`` here.

    ``context_fields`` are kept and touch no mail. ``labels`` are (language, field it stands for, text) of the header
    blocks that clients quote.
    """

    fields: tuple[str, ...]
    reverse_path_marks: tuple[str, ...]
    subject_prefixes: tuple[str, ...]
    body_marks: tuple[str, ...]
    context_fields: tuple[str, ...] = ()
    reply_prefixes: tuple[str, ...] = ()
    labels: tuple[tuple[int, int, str], ...] = ()
    reply_marks: tuple[str, ...] = ()


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact in header or envelope that the artifact table names: the row, where it stood, and what stood there."""

    slug: str
    field: str
    value: str


class Forwarding(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one mail shows of forwarding. ``evidence`` is null exactly when ``kind`` is "none". A report that a forward was
    refused is of kind "none" and names in ``mailbox`` who tried.

    A mail with ``look_alike`` set is never counted as a mailbox's forward. ``artifacts`` lists every row that
    matched, also those that a rule of trust or a look-alike spoke against.
    """

    kind: Kind = "none"
    level: Level = "unknown"
    evidence: Evidence | None = None
    mailbox: str | None = None
    destinations: tuple[str, ...] = ()
    direction: Direction = "unknown"
    look_alike: str | None = None
    artifacts: tuple[Artifact, ...] = ()


Severity = Literal["informational", "low", "medium", "high", "critical"]
Confidence = Literal["low", "medium", "high"]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who handed a mail over: the identity and the two systems, as far as the wire tells."""

    auth_user: str | None = None
    helo: str | None = None
    client_ip: str | None = None
    server_ip: str | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval: ``what`` names it ("auto share"), ``unit`` is "share", "mails", "octets", "s"."""

    what: str
    value: float
    low: float
    high: float
    unit: str = "share"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """
    How much of the mail flow a finding could be drawn from.

    ``unseen_mails`` are those that passed a tap in line in the last 24 hours and are in no record, as far as that is
    known, and ``unseen_of_mailbox`` those of them that the mailbox is known to have sent or got.
    """

    clear_share: float | None = None
    missing_octets: int = 0
    unseen_mails: int = 0
    unseen_of_mailbox: int = 0


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One mail that a finding rests on: its transaction, its time, and the lines of it that mattered."""

    transaction_id: str
    at_ms: int
    lines: tuple[Artifact, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    A detector's claim about one mailbox (``mailbox`` is null where it is about a destination), with all it rests on.

    The same claim told again, later and with higher counts, has the same ``id``. ``exhibits`` are bounded: the first
    ones and the latest. Times are milliseconds of packet time. ``level_reason``, ``assumptions`` and ``gaps`` are
    sentences for an analyst. ``mailboxes`` are all that the claim affects. ``pairs`` says which of them forwards to
    which destination, where the claim is about several of both and all are named; empty where each may to each.
    """

    id: str
    detector: str
    mailbox: str | None
    mailboxes: tuple[str, ...]
    destinations: tuple[str, ...]
    summary: str
    first_seen_ms: int
    last_seen_ms: int
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    observed: Measured | None = None
    baseline: Measured | None = None
    level: Level = "unknown"
    level_reason: str = ""
    severity: Severity = "medium"
    confidence: Confidence = "medium"
    confidence_reason: str = ""
    coverage: Seen = Seen()
    assumptions: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    actor: Actor = Actor()
    exhibits: tuple[Exhibit, ...] = ()
    technique: str = "T1114.003"
    pairs: tuple[tuple[str, str], ...] = ()


# ---- records: the JSON lines, key by key and in this order


class FlowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``flow`` of a record; ``src`` is the SMTP client, ``community_id`` is version 1."""

    community_id: str
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``session`` of a record."""

    protocol: SessionProtocol | None
    helo: str | None
    auth_user: str | None
    tls: bool
    client_ip: str | None
    transaction_index: int


class ForwardPathRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One RCPT with its own verdict."""

    address: str
    reply_code: int | None
    accepted: bool
    orcpt: str | None


class ReplyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The reply that decided a transaction."""

    code: int
    enhanced: str | None
    text: str


class HeaderRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """The common header fields; ``date`` keeps the sender's own offset."""

    message_id: str | None
    from_: list[str]
    sender: str | None
    to: list[str]
    cc: list[str]
    reply_to: list[str]
    subject: str | None
    date: str | None
    in_reply_to: str | None
    references: list[str]
    resent_from: list[str]
    delivered_to: list[str]
    list_id: str | None
    auto_submitted: str | None
    received_count: int
    thread_topic: str | None


class AttachmentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attachment; its size is that after undoing the transfer encoding."""

    filename: str | None
    content_type: str
    size_octets: int


class CompletenessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was not seen of a record."""

    missing_octets: int
    one_sided: bool
    midstream: bool
    truncated: bool


class TransactionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A line with ``"record": "transaction"``.

    It satisfies ``Transaction``. What only classifier and pairing need (raw fields, the Received chain, body marks,
    octets of the body) is not part of a record: read back, those are empty and ``touched`` is false, so a record is
    never classified anew.
    """

    record: Literal["transaction"]
    schema: Literal[1]
    id: str
    started_at: str
    ended_at: str
    sensor: str
    tap: TapName
    flow: FlowRecord
    session: SessionFacts
    reverse_path: str | None
    reverse_path_params: dict[str, str | None]
    forward_paths: list[ForwardPathRecord]
    outcome: Outcome
    reply: ReplyRecord | None
    size_octets: int | None
    header: HeaderRecord | None
    attachments: list[AttachmentRecord]
    body_digest: str | None
    forwarding: Forwarding
    completeness: CompletenessRecord
    anomalies: list[str]

    @property
    def started_at_ns(self) -> int:
        return ns_of(self.started_at)

    @property
    def ended_at_ns(self) -> int:
        return ns_of(self.ended_at)

    @property
    def fields(self) -> Sequence[FieldView]:
        return ()

    @property
    def received(self) -> Sequence[ReceivedView]:
        return ()

    @property
    def attached_messages(self) -> int:
        return sum(each.content_type in ("message/rfc822", "message/global") for each in self.attachments)

    @property
    def content_type(self) -> str | None:
        return None

    @property
    def report_type(self) -> str | None:
        return None

    @property
    def calendar_method(self) -> str | None:
        return None

    @property
    def body_octets(self) -> int:
        return 0

    @property
    def body_marks(self) -> Sequence[int]:
        return ()

    @property
    def labelled_marks(self) -> Sequence[int]:
        return ()

    @property
    def label_languages(self) -> Sequence[int]:
        return ()

    @property
    def reported_addresses(self) -> Sequence[str]:
        return ()

    @property
    def touched(self) -> bool:
        return False


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A line with ``"record": "session"``: a session that turned to TLS. Octets include those sent in clear before it.
    """

    record: Literal["session"]
    schema: Literal[1]
    id: str
    started_at: str
    ended_at: str
    sensor: str
    tap: TapName
    flow: FlowRecord
    session: SessionFacts
    tls_start: TlsStart
    sni: str | None
    octets_client: int
    octets_server: int
    completeness: CompletenessRecord
    anomalies: list[str]

    @property
    def started_at_ns(self) -> int:
        return ns_of(self.started_at)

    @property
    def ended_at_ns(self) -> int:
        return ns_of(self.ended_at)

    @property
    def client_octets(self) -> int:
        return self.octets_client

    @property
    def server_octets(self) -> int:
        return self.octets_server


class _AnyRecord(msgspec.Struct, frozen=True):
    record: str


def read_record(line: bytes) -> TransactionRecord | SessionRecord:
    """Read one record line back. Raises ``msgspec.DecodeError``, of which its ``ValidationError`` is one kind."""
    if msgspec.json.decode(line, type=_AnyRecord).record == "session":
        return msgspec.json.decode(line, type=SessionRecord)
    return msgspec.json.decode(line, type=TransactionRecord)


def ns_of(rfc3339: str) -> int:
    """Nanoseconds since the epoch of a time as records write it (RFC 3339, microseconds, UTC)."""
    moment = datetime.fromisoformat(rfc3339)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1_000
