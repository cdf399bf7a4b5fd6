"""
The artifact table in force: what it asks the core to look for, and which of its rows a mail shows.

A row says what to look for and what it proves (``rows.py``); ``trust.py`` says whether to believe it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sensor.classify.rows import (
    GROUPS,
    LABELS,
    LOOK_ALIKES,
    REQUIREMENTS,
    USER_ROWS_MAX,
    ArtifactError,
    Row,
    check_rows,
    languages,
    shipped,
)
from sensor.classify.structure import drawn_shapes
from sensor.classify.text import MAX_VALUE_CHARS, bare_address, recipients, split_subject
from sensor.model import HeaderView, InterestSpec, Transaction

# Mail that clients attach without saying that it is mail.
_MAIL_TYPES = ("message/rfc822", "message/global")


@dataclass(frozen=True, slots=True)
class Match:
    """
    A row that a mail shows: where, with what value, and whom the marker names (before any rule of trust).

    *destinations* are all that it names, and may be several. *received_above* is how many Received lines stand above a
    field; *labelled* tells of a mark in the body whether a quoted header block follows it.
    """

    row: Row
    field: str
    value: str
    mailbox: str | None
    destinations: tuple[str, ...] = ()
    received_above: int | None = None
    labelled: bool = False


class Table:
    """The rows in force, arranged by where they are looked for."""

    def __init__(self, rows: Sequence[Row], context_fields: Sequence[str] = ()) -> None:
        self.rows = tuple(rows)
        self._patterns = {row.slug: re.compile(row.pattern, re.IGNORECASE) for row in rows if row.pattern is not None}
        by_place: dict[str, list[Row]] = {}
        for row in rows:
            by_place.setdefault(row.place, []).append(row)
        self._sender_marks = [(mark, row) for row in by_place.get("reverse_path", []) for mark in row.marks]
        self._recipient = by_place.get("recipient", [])
        self._reply = by_place.get("reply", [])
        self._attached = by_place.get("attached_message", [])
        self._structure = by_place.get("structure", [])
        self._by_field: dict[str, list[Row]] = {}
        for row in by_place.get("field", []):
            self._by_field.setdefault((row.field or "").lower(), []).append(row)
        self._by_prefix = {prefix: row for row in by_place.get("subject", []) for prefix in row.prefixes}
        marked = (*by_place.get("body", []), *by_place.get("report", []))
        self._marks = [(mark, row) for row in marked for mark in row.marks]
        self.reply_prefixes = frozenset(prefix for language in languages() for prefix in language.reply)
        self._known_prefixes = frozenset(self._by_prefix) | self.reply_prefixes
        self.interest = self._interest(context_fields)

    def _interest(self, context_fields: Sequence[str]) -> InterestSpec:
        fields = {row.field.lower(): row.field for row in self.rows if row.field is not None and row.touches}
        companions = [row.with_field.partition(":")[0] for row in self.rows if row.with_field is not None]
        quiet = [row.field for row in self.rows if row.field is not None and not row.touches]
        context = {name.lower(): name for name in (*context_fields, *companions, *quiet)}
        labels = [
            (number, LABELS.index(kind), text)
            for number, language in enumerate(languages())
            for kind, texts in zip(LABELS, language.labels, strict=True)
            for text in texts
        ]
        return InterestSpec(
            fields=tuple(fields.values()),
            context_fields=tuple(name for key, name in context.items() if key not in fields),
            reverse_path_marks=tuple(sorted({mark for mark, _ in self._sender_marks})),
            subject_prefixes=tuple(self._by_prefix),
            body_marks=tuple(mark for mark, _ in self._marks),
            reply_prefixes=tuple(sorted(self.reply_prefixes)),
            labels=tuple(labels),
            reply_marks=tuple(mark for row in self._reply for mark in row.marks),
        )

    def matches(self, transaction: Transaction) -> list[Match]:
        """Every row that *transaction* shows: the envelope first, then fields from the top, subject, body, shapes."""
        found = [
            *self._in_reverse_path(transaction),
            *self._in_recipients(transaction),
            *self._in_reply(transaction),
        ]
        header = transaction.header
        if header is not None:
            found += self._in_fields(transaction, header)
            found += self._in_subject(transaction, header)
            found += self._in_body(transaction, header)
            found += self._in_structure(transaction, header)
        return found

    def _in_reverse_path(self, transaction: Transaction) -> Iterator[Match]:
        reverse_path = transaction.reverse_path
        if not reverse_path or len(reverse_path) > MAX_VALUE_CHARS:
            return
        folded = reverse_path.lower()
        marked = {row.slug: row for mark, row in self._sender_marks if mark in folded}
        for row in marked.values():
            match = self._patterns[row.slug].fullmatch(reverse_path)
            if match is not None and _has_companion(row, transaction):
                yield _match(row, "reverse_path", reverse_path, match, transaction)

    def _in_recipients(self, transaction: Transaction) -> Iterator[Match]:
        for path in transaction.forward_paths:
            if path.orcpt is None or len(path.orcpt) > MAX_VALUE_CHARS:
                continue
            for row in self._recipient:
                match = self._patterns[row.slug].fullmatch(path.orcpt)
                if match is None:
                    continue
                mailbox = _drawn(row.mailbox, match.groupdict(""), transaction)
                if mailbox is not None and mailbox != path.address.lower():
                    yield Match(row, "ORCPT", path.orcpt, mailbox, (path.address.lower(),))

    def _in_reply(self, transaction: Transaction) -> Iterator[Match]:
        reply = transaction.reply
        if reply is None or reply.code < 400:
            return
        text = f"{reply.enhanced or ''} {reply.text}"
        for row in self._reply:
            if any(mark.lower() in text.lower() for mark in row.marks):
                yield _match(row, "reply", text.strip(), None, transaction)

    def _in_fields(self, transaction: Transaction, header: HeaderView) -> Iterator[Match]:
        for field in transaction.fields:
            value = field.value
            if len(value) > MAX_VALUE_CHARS:
                continue
            for row in self._by_field.get(field.name.lower(), ()):
                match = self._patterns[row.slug].fullmatch(value)
                if match is not None and _has_companion(row, transaction):
                    yield _match(
                        row,
                        field.name,
                        value,
                        match,
                        transaction,
                        received_above=field.received_above,
                    )

    def _in_subject(self, transaction: Transaction, header: HeaderView) -> Iterator[Match]:
        prefix, _ = split_subject(header.subject)
        row = self._by_prefix.get(prefix) if prefix else None
        if row is not None:
            yield _match(row, "Subject", header.subject or "", None, transaction)

    def _in_body(self, transaction: Transaction, header: HeaderView) -> Iterator[Match]:
        labelled = frozenset(transaction.labelled_marks)
        is_report = transaction.report_type is not None
        for index in transaction.body_marks:
            if index < len(self._marks):
                mark, row = self._marks[index]
                if row.place == "body":
                    yield _match(row, "body", mark, None, transaction, labelled=index in labelled)
                elif is_report:
                    yield _match(row, "report", mark, None, transaction)
        if self._attached and (transaction.attached_messages or transaction.attachments):
            yield from self._in_attachments(transaction)

    def _in_attachments(self, transaction: Transaction) -> Iterator[Match]:
        """Each row once, however many mails are attached. Its pattern is held against "type name"."""
        shown = [f"{each.content_type} {each.filename or ''}".rstrip() for each in transaction.attachments]
        if transaction.attached_messages and not any(each.startswith(_MAIL_TYPES) for each in shown):
            shown.append(_MAIL_TYPES[0])
        for row in self._attached:
            pattern = self._patterns[row.slug]
            value = next(
                (each for each in shown if len(each) <= MAX_VALUE_CHARS and pattern.fullmatch(each)),
                None,
            )
            if value is not None:
                yield _match(row, "body", value, None, transaction)

    def _in_structure(self, transaction: Transaction, header: HeaderView) -> Iterator[Match]:
        if not self._structure:
            return
        shapes = drawn_shapes(transaction, header, self._known_prefixes, self.reply_prefixes)
        for row in self._structure:
            shape = shapes.get(row.shape or "")
            if shape is not None:
                yield Match(row, shape.field, shape.value, shape.mailbox, received_above=shape.received_above)


def load_table(extra: Sequence[object] = ()) -> Table:
    """The built-in table with *extra* rows, in their TOML form, after it. Raises ``ArtifactError``."""
    if len(extra) > USER_ROWS_MAX:
        raise ArtifactError(f"{len(extra)} rows of your own; at most {USER_ROWS_MAX} are taken")
    rows, context_fields = shipped()
    return Table([*rows, *check_rows(extra, taken=[row.slug for row in rows])], context_fields)


def _match(
    row: Row,
    field: str,
    value: str,
    match: re.Match[str] | None,
    transaction: Transaction,
    *,
    received_above: int | None = None,
    labelled: bool = False,
) -> Match:
    groups = match.groupdict("") if match is not None else {}
    mailbox = _drawn(row.mailbox, groups, transaction)
    destinations = _all_drawn(row.destination, groups, transaction)
    return Match(row, field, value, mailbox, destinations, received_above, labelled)


def _all_drawn(template: str | None, groups: Mapping[str, str], transaction: Transaction) -> tuple[str, ...]:
    """Each address of a list that *template* gives, in order, once."""
    if template is None:
        return ()
    if template.startswith("@"):
        return tuple(filter(None, (_drawn(template, groups, transaction),)))
    listed = (bare_address(each) for each in re.split(r"[\s,;]+", template.format_map(groups)))
    return tuple(dict.fromkeys(filter(None, listed)))


def _drawn(template: str | None, groups: Mapping[str, str], transaction: Transaction) -> str | None:
    """An address as *template* says, in lower case; none where what it is drawn from is not there."""
    header = transaction.header
    if template is None:
        return None
    if template == "@reverse_path":
        return (transaction.reverse_path or "").lower() or None
    if template == "@from":
        return header.from_[0].lower() if header is not None and header.from_ else None
    if template == "@sender":
        return header.sender.lower() if header is not None and header.sender else None
    if template == "@resent_from":
        return header.resent_from[0].lower() if header is not None and header.resent_from else None
    return bare_address(template.format_map(groups))


def _has_companion(row: Row, transaction: Transaction) -> bool:
    if row.with_field is None:
        return True
    name, _, value = row.with_field.partition(":")
    return any(
        field.name.lower() == name.lower() and field.value.lower().startswith(value.strip().lower())
        for field in transaction.fields
    )


__all__ = [
    "GROUPS",
    "LOOK_ALIKES",
    "MAX_VALUE_CHARS",
    "REQUIREMENTS",
    "ArtifactError",
    "Match",
    "Row",
    "Table",
    "check_rows",
    "load_table",
    "recipients",
    "split_subject",
]
