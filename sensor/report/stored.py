"""What a stored ledger holds, as rows: of mailboxes, of destinations, of alerts; as table, JSON Lines or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, get_args

import msgspec

from sensor.alert.record import AlertRecord, rfc3339
from sensor.ledger import DAY, WEEK, Account, Forwards, LedgerView
from sensor.log import printable
from sensor.model import Confidence, Evidence, Level, Severity
from sensor.report.words import columns_of, is_pseudonym, percent

Form = Literal["table", "json", "csv"]
FORMS: tuple[str, ...] = get_args(Form)

WIDEST = 48
"""Characters of a cell in a table, but for pseudonyms, which are whole; JSON and CSV hold all of it."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row; its fields are the columns, in their order. Times are RFC 3339, UTC."""


class MailboxRow(Row, frozen=True, kw_only=True):
    """
    A mailbox that forwards: in all and to outside by a rule, the four cells, and the share of ``auto_only`` in them.

    ``share_low`` and ``share_high`` bound it by its 95 % Jeffreys interval. The windows end at the latest mail seen.
    ``to`` names the destination that most went to, of ``destinations`` in all.
    """

    mailbox: str
    level: Level
    evidence: Evidence
    auto_only: int
    auto_visible: int
    visible_only: int
    paired: int
    external: int
    forwards_24h: int
    forwards_7d: int
    share: float | None
    share_low: float | None
    share_high: float | None
    attempts: int
    received: int
    sent: int
    destinations: int
    to: str | None
    octets: int
    first_seen: str
    last_seen: str


class DestinationRow(Row, frozen=True, kw_only=True):
    """An address that mailboxes forward to. ``mailboxes`` counts them, ``by`` names the one that forwards most."""

    destination: str
    outside: bool
    mailboxes: int
    forwards: int
    octets: int
    by: str
    first_seen: str
    last_seen: str


class AlertRow(Row, frozen=True, kw_only=True):
    """An alert as it was last told."""

    id: str
    status: str
    severity: Severity
    confidence: Confidence
    detector: str
    mailbox: str | None
    destination: str | None
    level: Level
    first_fired: str
    last_updated: str
    summary: str


TABLE_COLUMNS: Mapping[type[Row], Sequence[str]] = MappingProxyType(
    {
        MailboxRow: (
            "mailbox", "level", "auto_only", "auto_visible", "visible_only", "paired", "external", "forwards_7d",
            "share", "first_seen", "last_seen", "to",
        ),
        DestinationRow: ("destination", "outside", "mailboxes", "forwards", "by", "first_seen", "last_seen"),
        AlertRow: ("id", "status", "severity", "detector", "mailbox", "destination", "first_fired"),
    }
)  # fmt: skip
"""What a table shows of a row; a terminal has no room for all."""

_HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "auto_only": "AUTO", "auto_visible": "BOTH", "visible_only": "HAND", "external": "OUTSIDE",
        "forwards_7d": "7 DAYS", "share": "AUTO SHARE", "first_seen": "SINCE", "last_seen": "LATEST",
        "first_fired": "SINCE", "by": "MOST BY",
    }
)  # fmt: skip
"""Columns that the other commands head otherwise than by the name of the field."""


def mailbox_rows(ledger: LedgerView, *, at_ms: int, since_ms: int | None = None) -> list[MailboxRow]:
    """Every mailbox that forwarded, or tried to, since *since_ms*: most automatic forwards first."""
    return [
        mailbox_row(name, account, forwards, at_ms=at_ms)
        for name, account, forwards in ledger.forwarders()
        if since_ms is None or forwards.last_seen_ms >= since_ms
    ]


def destination_rows(ledger: LedgerView, *, since_ms: int | None = None) -> list[DestinationRow]:
    """Every destination written to since *since_ms*, those of most mailboxes first."""
    users: dict[str, list[tuple[int, str, Forwards]]] = {}
    for name, _, forwards in ledger.forwarders():
        for address, each in forwards.destinations.items():
            if since_ms is None or each.last_seen_ms >= since_ms:
                users.setdefault(address, []).append((each.count, name, forwards))
    rows = [destination_row(address, by) for address, by in users.items()]
    return sorted(rows, key=lambda row: (-row.mailboxes, -row.forwards, row.destination))


def alert_rows(records: Iterable[AlertRecord], *, since_ms: int | None = None) -> list[AlertRow]:
    """Every alert updated since *since_ms*, the latest first."""
    since = "" if since_ms is None else rfc3339(since_ms)
    chosen = [record for record in records if record.last_updated_at >= since]
    chosen.sort(key=lambda record: (record.last_updated_at, record.id), reverse=True)
    return [_alert(record) for record in chosen]


def render_rows(rows: Sequence[Row], kind: type[Row], form: Form) -> str:
    """The rows as text that ends in a line end. Whatever comes from mail is escaped in a table, quoted in CSV."""
    if form == "json":
        return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)
    if form == "csv":
        return _csv(rows, kind)
    return _table(rows, TABLE_COLUMNS[kind])


# ---- rows


def mailbox_row(name: str, account: Account, forwards: Forwards, *, at_ms: int) -> MailboxRow:
    """The row of a mailbox that forwards; its windows end at *at_ms*."""
    share = forwards.auto_share()
    destinations = forwards.destinations
    return MailboxRow(
        mailbox=name,
        level=forwards.level,
        evidence=forwards.evidence,
        auto_only=forwards.auto_only,
        auto_visible=forwards.auto_visible,
        visible_only=forwards.visible_only,
        paired=forwards.paired,
        external=forwards.counted(scope="external").mails,
        forwards_24h=forwards.within(DAY, at_ms).mails,
        forwards_7d=forwards.within(WEEK, at_ms).mails,
        share=None if share is None else share[0],
        share_low=None if share is None else share[1],
        share_high=None if share is None else share[2],
        attempts=forwards.attempts,
        received=account.received,
        sent=account.sent,
        destinations=len(destinations) + forwards.other_destinations,
        to=min(destinations, key=lambda each: (-destinations[each].count, each), default=None),
        octets=forwards.counted().octets,
        first_seen=rfc3339(forwards.first_seen_ms),
        last_seen=rfc3339(forwards.last_seen_ms),
    )


def destination_row(address: str, by: Sequence[tuple[int, str, Forwards]]) -> DestinationRow:
    """The row of an address that each of *by* forwards to, given as count, mailbox, and what that forwards."""
    kept = [forwards.destinations[address] for _, _, forwards in by]
    most = min(by, key=lambda each: (-each[0], each[1]))
    return DestinationRow(
        destination=address,
        outside=any(each.is_outside for each in kept),
        mailboxes=len(by),
        forwards=sum(each.count for each in kept),
        octets=sum(each.octets for each in kept),
        by=most[1],
        first_seen=rfc3339(min(each.first_seen_ms for each in kept)),
        last_seen=rfc3339(max(each.last_seen_ms for each in kept)),
    )


def _alert(record: AlertRecord) -> AlertRow:
    return AlertRow(
        id=record.id,
        status=record.status,
        severity=record.severity,
        confidence=record.confidence,
        detector=record.detector,
        mailbox=record.mailbox,
        destination=record.destinations[0] if record.destinations else None,
        level=record.level,
        first_fired=record.first_fired_at,
        last_updated=record.last_updated_at,
        summary=record.summary,
    )


# ---- text


def _table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    lines = [[_heading(column) for column in columns]]
    lines += [[_cell(row, column) for column in columns] for row in rows]
    widths = [max(columns_of(line[at]) for line in lines) for at in range(len(columns))]
    right = [bool(rows) and isinstance(getattr(rows[0], column), int | float) for column in columns]
    return "".join(_aligned(line, widths, right) for line in lines)


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        f"{' ' * (width - columns_of(cell))}{cell}" if is_right else f"{cell}{' ' * (width - columns_of(cell))}"
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip() + "\n"


def _heading(column: str) -> str:
    return _HEADINGS.get(column, column.upper().replace("_", " "))


def _cell(row: Row, column: str) -> str:
    value = getattr(row, column)
    if value is None:
        return "-"
    if column == "id":
        return str(value)[:12]
    if column == "share" and isinstance(row, MailboxRow):
        return f"{percent(value)}% ({percent(row.share_low or 0)}-{percent(row.share_high or 0)}%)"
    if column in ("first_seen", "last_seen", "first_fired"):
        return str(value)[:16].replace("T", " ")
    text = printable(str(value)) if not isinstance(value, bool) else ("yes" if value else "no")
    shown = text if len(text) <= WIDEST or is_pseudonym(text) else f"{text[: WIDEST - 3]}..."
    if column == "to" and isinstance(row, MailboxRow) and row.destinations > 1:
        return f"{shown} and {row.destinations - 1:,} more"
    return shown


def _csv(rows: Sequence[Row], kind: type[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = kind.__struct_fields__
    writer.writerow(names)
    for row in rows:
        writer.writerow([_harmless(getattr(row, name)) for name in names])
    return out.getvalue()


def _harmless(value: object) -> object:
    """A spreadsheet takes a text that begins so for a formula, and an address may: quoted as spreadsheets read it."""
    if isinstance(value, str):
        text = printable(value)
        return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return value
