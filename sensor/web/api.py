"""
The API's questions: pages of mailboxes, destinations and alerts, and single records.

Each is a generator over the view, run between batches by the thread of the analysis: it yields after some hundred
entries, so that mail goes on, and what it returns is plain values that any thread may render.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from sensor.alert.record import AlertRecord, ms_of
from sensor.ledger import Forwards
from sensor.ledger.mailbox import domain_of
from sensor.model import TransactionRecord
from sensor.report.stored import DestinationRow, MailboxRow, destination_row, mailbox_row
from sensor.view import View
from sensor.web import query as q
from sensor.web.query import Parameter, Query

STEP = 256
"""Entries looked at between two yields: about a millisecond."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a list: ``total`` rows fit the filters, of which ``items`` begin at ``offset``."""

    total: int
    offset: int
    items: list[Any]


Question = Generator[None, None, Page]


def mailboxes(view: View, query: Query) -> Question:
    """Mailboxes that forward, those with most automatic forwards first."""
    found = []
    for number, each in enumerate(view.ledger.forwarders()):
        if _is_wanted_mailbox(each[0], each[2], query):
            found.append(each)
        if number % STEP == STEP - 1:
            yield
    rows: list[MailboxRow] = []
    for name, account, forwards in _page(found, query):
        rows.append(mailbox_row(name, account, forwards, at_ms=view.latest_ms))
        if len(rows) % (STEP // 8) == 0:
            yield
    return Page(total=len(found), offset=query["offset"], items=rows)


def destinations(view: View, query: Query) -> Question:
    """Addresses that mail is forwarded to, those of most mailboxes first."""
    users: dict[str, list[tuple[int, str, Forwards]]] = {}
    mailbox = query.get("mailbox")
    for number, (name, forwards) in enumerate(tuple(view.ledger.each_forwarder())):
        for address, each in forwards.destinations.items() if mailbox in (None, name) else ():
            if _is_wanted_destination(address, each.is_outside, each.last_seen_ms, query):
                users.setdefault(address, []).append((each.count, name, forwards))
        if number % STEP == STEP - 1:
            yield
    ranked = sorted(users, key=lambda address: (-len(users[address]), address))
    yield
    rows: list[DestinationRow] = [destination_row(address, users[address]) for address in _page(ranked, query)]
    return Page(total=len(ranked), offset=query["offset"], items=rows)


def alerts(view: View, query: Query) -> Question:
    """Alerts as last told, the latest first."""
    found: list[AlertRecord] = []
    for number, record in enumerate(tuple(reversed(view.alerts.values()))):
        if _is_wanted_alert(record, query):
            found.append(record)
        if number % STEP == STEP - 1:
            yield
    return Page(total=len(found), offset=query["offset"], items=_page(found, query))


def transaction(view: View, transaction_id: str) -> Generator[None, None, bytes | None]:
    """The record of that id, if it is among the latest."""
    yield
    return view.recent.get(transaction_id)


def transactions(view: View, query: Query) -> Question:
    """Records of mails with a Message-ID that came since it was first asked for."""
    found = view.watched.ask(query["message_id"])
    yield
    return Page(total=len(found), offset=query["offset"], items=[msgspec.Raw(each) for each in _page(found, query)])


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the API: its question, what it may be asked, and of which type its items are."""

    ask: Callable[[View, Query], Question]
    item: type
    meaning: str
    parameters: Sequence[Parameter]


LISTINGS: Mapping[str, Listing] = MappingProxyType(
    {
        "mailboxes": Listing(
            mailboxes, MailboxRow, "Mailboxes that forward, those with most automatic forwards first.",
            (q.LIMIT, q.OFFSET, q.MAILBOX, q.DOMAIN, q.LEVEL, q.MIN_AUTO, q.SINCE),
        ),
        "destinations": Listing(
            destinations, DestinationRow, "Addresses that mail is forwarded to, those of most mailboxes first.",
            (q.LIMIT, q.OFFSET, q.MAILBOX, q.DESTINATION, q.DOMAIN, q.OUTSIDE, q.SINCE),
        ),
        "alerts": Listing(
            alerts, AlertRecord, "Alerts as last told, the latest first.",
            (q.LIMIT, q.OFFSET, q.MAILBOX, q.DESTINATION, q.STATUS, q.SEVERITY, q.LEVEL, q.DETECTOR, q.SINCE),
        ),
        "transactions": Listing(
            transactions, TransactionRecord, "Mails with a Message-ID that came since it was first asked for.",
            (q.LIMIT, q.OFFSET, q.MESSAGE_ID),
        ),
    }
)  # fmt: skip
"""The one list of them, by the last part of their address."""


def _page(found: Sequence[Any], query: Query) -> list[Any]:
    return list(found[query["offset"] : query["offset"] + query["limit"]])


def _is_wanted_mailbox(name: str, forwards: Forwards, query: Query) -> bool:
    return (
        query.get("mailbox") in (None, name)
        and query.get("domain") in (None, domain_of(name))
        and query.get("level") in (None, forwards.level)
        and forwards.automatic >= query.get("min_auto", 0)
        and forwards.last_seen_ms >= query.get("since", forwards.last_seen_ms)
    )


def _is_wanted_destination(address: str, is_outside: bool, last_seen_ms: int, query: Query) -> bool:
    return (
        query.get("destination") in (None, address)
        and query.get("domain") in (None, domain_of(address))
        and query.get("outside") in (None, is_outside)
        and last_seen_ms >= query.get("since", last_seen_ms)
    )


def _is_wanted_alert(record: AlertRecord, query: Query) -> bool:
    same = ("status", "severity", "level", "detector")
    return (
        all(query.get(name) in (None, getattr(record, name)) for name in same)
        and (query.get("mailbox") is None or query["mailbox"] in (record.mailbox, *record.mailboxes))
        and (query.get("destination") is None or query["destination"] in record.destinations)
        and ("since" not in query or ms_of(record.last_updated_at) >= query["since"])
    )
