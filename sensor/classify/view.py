"""
A mail read once: the core draws a fact whenever it is asked for it, and the rules ask for the same ones many times.

What they ask of nearly every mail is drawn in one go, which costs less than to look each time whether it was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast

from sensor.model import SessionProtocol, Transaction


class _Header(NamedTuple):
    message_id: str | None
    from_: Sequence[str]
    sender: str | None
    to: Sequence[str]
    cc: Sequence[str]
    reply_to: Sequence[str]
    subject: str | None
    date: str | None
    in_reply_to: str | None
    references: Sequence[str]
    resent_from: Sequence[str]
    delivered_to: Sequence[str]
    list_id: str | None
    auto_submitted: str | None
    received_count: int
    thread_topic: str | None


class _Session(NamedTuple):
    protocol: SessionProtocol | None
    helo: str | None
    auth_user: str | None
    tls: bool
    client_ip: str | None
    transaction_index: int


class _ForwardPath(NamedTuple):
    address: str
    reply_code: int | None
    accepted: bool
    orcpt: str | None


class _Field(NamedTuple):
    name: str
    value: str
    position: int
    received_above: int


class _Received(NamedTuple):
    from_: str | None
    from_ip: str | None
    by: str | None
    with_: str | None
    for_address: str | None
    position: int


_header = attrgetter(*_Header._fields)
_session = attrgetter(*_Session._fields)
_forward_path = attrgetter(*_ForwardPath._fields)
_field = attrgetter(*_Field._fields)
_received = attrgetter(*_Received._fields)


class _Mail:
    """What the rules look at, drawn; whatever else is asked for is drawn from the transaction then."""

    def __init__(self, transaction: Transaction) -> None:
        header = transaction.header
        self._transaction = transaction
        self.header = None if header is None else _Header._make(_header(header))
        self.session = _Session._make(_session(transaction.session))
        self.reverse_path = transaction.reverse_path
        self.forward_paths = [_ForwardPath._make(_forward_path(each)) for each in transaction.forward_paths]
        self.reply = transaction.reply
        self.fields = [_Field._make(_field(each)) for each in transaction.fields]
        self.received = [_Received._make(_received(each)) for each in transaction.received]
        self.attachments = transaction.attachments
        self.attached_messages = transaction.attached_messages
        self.content_type = transaction.content_type
        self.report_type = transaction.report_type

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)


def read_once(transaction: Transaction) -> Transaction:
    """The same mail, its facts drawn no more than once."""
    return cast("Transaction", _Mail(transaction))
