"""The records that are written and read back: JSON lines, key by key and in this order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from sensor.model.forwarding import Forwarding
from sensor.model.terms import Outcome, SessionProtocol, TapName, TlsStart
from sensor.model.transaction import FieldView, ReceivedView


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
    """The record of one line. Raises ``msgspec.DecodeError``; ``ValidationError`` is a kind of it."""
    if msgspec.json.decode(line, type=_AnyRecord).record == "session":
        return msgspec.json.decode(line, type=SessionRecord)
    return msgspec.json.decode(line, type=TransactionRecord)


def ns_of(rfc3339: str) -> int:
    """Nanoseconds since the epoch of a record's time (RFC 3339, microseconds, UTC). Raises ``ValueError``."""
    moment = datetime.fromisoformat(rfc3339)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1_000
