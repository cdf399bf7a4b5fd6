"""
The artifact table: reading it, checking it, and looking up what a mail shows of it.

A row says what to look for and what it proves; ``trust.py`` says whether to believe it. Rows come from
``artifacts.toml``. A bad row is an error that names the row, the key and the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import get_args

import msgspec

from sensor.model import Evidence, ForwardPathView, HeaderView, InterestSpec, Kind, Level, Transaction

PLACES = ("reverse_path", "field", "subject", "body", "attached_message")
REQUIREMENTS = (
    "one_recipient",
    "mailbox_addressed",
    "recipient_unaddressed",
    "forward_shape",
    "no_resent_to",
    "resent_block",
    "from_its_hosts",
    "thread_sign",
    "forward_sign",
)
LOOK_ALIKES = (
    "journal",
    "delivery_report",
    "moderation",
    "policy_notice",
    "auto_reply",
    "list",
    "ticket",
    "group_expansion",
    "alias_service",
    "meeting_forward",
    "foreign_forward",
)
NOT_A_FORWARD = ("journal", "delivery_report", "moderation", "policy_notice", "auto_reply")
HEADER_SOURCES = ("@from", "@sender", "@resent_from")

# RFC 5321 4.5.3.1.3 bounds a path at 256 octets and RFC 5322 2.1.1 a line at 998. Nothing longer is a marker that a
# known program wrote, and it bounds the work that a hostile value can cause in a pattern.
MAX_VALUE_CHARS = 1_024
# The core looks for the colon of a prefix within this many characters; here it must be the same.
SUBJECT_PREFIX_CHARS = 24


class ArtifactError(ValueError):
    """A row of the artifact table is wrong; the message names the row, the key and the reason."""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row, keys as ``artifacts.toml`` explains them."""

    slug: str
    place: str
    kind: Kind
    level: Level
    evidence: Evidence
    source: str
    field: str | None = None
    marks: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    pattern: str | None = None
    mailbox: str | None = None
    destination: str | None = None
    requires: tuple[str, ...] = ()
    with_field: str | None = None
    hosts: tuple[str, ...] = ()
    prepended: bool = False
    contradicted_by: tuple[str, ...] = NOT_A_FORWARD
    look_alike: str | None = None
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A row that a mail shows: where, with what value, and whom the marker names (before any rule of trust)."""

    row: Row
    field: str
    value: str
    mailbox: str | None
    destination: str | None
    position: int | None = None


class Table:
    """The rows in force, arranged by where they are looked for."""

    def __init__(self, rows: Sequence[Row], context_fields: Sequence[str] = ()) -> None:
        self.rows = tuple(rows)
        self._patterns = {row.slug: re.compile(row.pattern, re.IGNORECASE) for row in rows if row.pattern is not None}
        self._reverse_path = [row for row in rows if row.place == "reverse_path"]
        self._by_field: dict[str, list[Row]] = {}
        for row in rows:
            if row.field is not None:
                self._by_field.setdefault(row.field.lower(), []).append(row)
        self._by_prefix = {prefix: row for row in rows for prefix in row.prefixes}
        self._body = [(mark, row) for row in rows if row.place == "body" for mark in row.marks]
        self._attached = [row for row in rows if row.place == "attached_message"]
        companions = [row.with_field.partition(":")[0] for row in rows if row.with_field is not None]
        names = {name.lower(): name for name in (*context_fields, *companions)}
        names.update({row.field.lower(): row.field for row in rows if row.field is not None})
        self.interest = InterestSpec(
            fields=tuple(names.values()),
            reverse_path_marks=tuple(sorted({mark for row in self._reverse_path for mark in row.marks})),
            subject_prefixes=tuple(self._by_prefix),
            body_marks=tuple(mark for mark, _ in self._body),
        )

    def matches(self, transaction: Transaction) -> list[Match]:
        """Every row that *transaction* shows: reverse-path first, then fields from the top, subject, body."""
        found = list(self._in_reverse_path(transaction))
        header = transaction.header
        if header is None:
            return found
        found += self._in_fields(transaction, header)
        found += self._in_subject(header)
        found += self._in_body(transaction, header)
        return found

    def _in_reverse_path(self, transaction: Transaction) -> Iterator[Match]:
        reverse_path = transaction.reverse_path
        if not reverse_path or len(reverse_path) > MAX_VALUE_CHARS:
            return
        folded = reverse_path.lower()
        for row in self._reverse_path:
            if any(mark in folded for mark in row.marks):
                match = self._patterns[row.slug].fullmatch(reverse_path)
                if match is not None:
                    yield _match(row, "reverse_path", reverse_path, match, transaction.header)

    def _in_fields(self, transaction: Transaction, header: HeaderView) -> Iterator[Match]:
        for field in transaction.fields:
            value = field.value
            if len(value) > MAX_VALUE_CHARS:
                continue
            for row in self._by_field.get(field.name.lower(), ()):
                match = self._patterns[row.slug].fullmatch(value)
                if match is not None and _has_companion(row, transaction):
                    yield _match(row, field.name, value, match, header, field.received_above)

    def _in_subject(self, header: HeaderView) -> Iterator[Match]:
        prefix, _ = split_subject(header.subject)
        row = self._by_prefix.get(prefix) if prefix else None
        if row is not None:
            yield _match(row, "Subject", header.subject or "", None, header)

    def _in_body(self, transaction: Transaction, header: HeaderView) -> Iterator[Match]:
        for index in transaction.body_marks:
            if index < len(self._body):
                mark, row = self._body[index]
                yield _match(row, "body", mark, None, header)
        if transaction.attached_messages:
            for row in self._attached:
                yield _match(row, "body", "message/rfc822", None, header)


def split_subject(subject: str | None) -> tuple[str, str]:
    """The subject's prefix in lower case, without its colon, and the rest; ``("", subject)`` where there is none."""
    text = (subject or "").lstrip()
    head = text[:SUBJECT_PREFIX_CHARS]
    ends = [at for at in (head.find(":"), head.find("：")) if at >= 0]
    if not ends:
        return "", text
    return text[: min(ends)].rstrip().lower(), text[min(ends) + 1 :].strip()


def load_table(extra: Sequence[Mapping[str, object]] = ()) -> Table:
    """The built-in table with *extra* rows after it. Raises ``ArtifactError``."""
    document = tomllib.loads(resources.files("sensor.classify").joinpath("artifacts.toml").read_text(encoding="utf-8"))
    return Table(check_rows([*document["artifact"], *extra]), document["context"]["fields"])


def check_rows(raw_rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """Rows from their TOML form. Raises ``ArtifactError`` for the first that is wrong."""
    rows: list[Row] = []
    slugs: set[str] = set()
    for number, raw in enumerate(raw_rows, start=1):
        name = f'artifact row {number} ("{raw.get("slug", "no slug")}")'
        try:
            row = msgspec.convert(raw, Row)
        except msgspec.ValidationError as error:
            raise ArtifactError(f"{name}: {error}; {_allowed_near(str(error))}") from None
        for key, reason in _faults(row):
            raise ArtifactError(f"{name}: {key}: {reason}")
        if row.slug in slugs:
            raise ArtifactError(f"{name}: slug: another row has this slug already")
        slugs.add(row.slug)
        rows.append(row)
    return rows


def _allowed_near(message: str) -> str:
    allowed = {"$.kind": Kind, "$.level": Level, "$.evidence": Evidence}
    for path, choices in allowed.items():
        if path in message:
            return "allowed are " + ", ".join(get_args(choices))
    return "the keys are " + ", ".join(Row.__struct_fields__)


def _faults(row: Row) -> Iterator[tuple[str, str]]:
    """What is wrong with a row whose types are right: (key, reason)."""
    yield from _name_faults(row)
    needed = {"reverse_path": "marks", "field": "field", "subject": "prefixes", "body": "marks"}.get(row.place)
    if needed is not None and not getattr(row, needed):
        yield needed, f"a row of place {row.place} needs it"
    if row.place in ("reverse_path", "field") and row.pattern is None:
        yield "pattern", f"a row of place {row.place} needs it"
    if any(mark != mark.lower() or not mark.isascii() for mark in row.marks) and row.place == "reverse_path":
        yield "marks", "must be lower case ASCII"
    if any(prefix != prefix.lower() for prefix in row.prefixes):
        yield "prefixes", "must be lower case"
    yield from _template_faults(row)


def _name_faults(row: Row) -> Iterator[tuple[str, str]]:
    if re.fullmatch("[a-z][a-z0-9_]*", row.slug) is None:
        yield "slug", "must be lower case letters, digits and underscores"
    if row.place not in PLACES:
        yield "place", f'"{row.place}" is none of {", ".join(PLACES)}'
    if row.kind not in ("auto", "visible"):
        yield "kind", "a row is auto or visible"
    for name in row.requires:
        if name not in REQUIREMENTS:
            yield "requires", f'"{name}" is none of {", ".join(REQUIREMENTS)}'
    for name in (*row.contradicted_by, *([row.look_alike] if row.look_alike else ())):
        if name not in LOOK_ALIKES:
            yield "look_alike or contradicted_by", f'"{name}" is none of {", ".join(LOOK_ALIKES)}'


def _template_faults(row: Row) -> Iterator[tuple[str, str]]:
    groups: set[str] = set()
    if row.pattern is not None:
        try:
            groups = set(re.compile(row.pattern, re.IGNORECASE).groupindex)
        except re.error as error:
            yield "pattern", f"not a regular expression: {error}"
            return
    for key, template in (("mailbox", row.mailbox), ("destination", row.destination)):
        if template is None or template in HEADER_SOURCES:
            continue
        if template.startswith("@"):
            yield key, f'"{template}" is none of {", ".join(HEADER_SOURCES)}'
        missing = sorted(set(re.findall(r"\{(\w+)\}", template)) - groups)
        if missing:
            yield key, f"the pattern has no group named {', '.join(missing)}"


def _match(
    row: Row,
    field: str,
    value: str,
    match: re.Match[str] | None,
    header: HeaderView | None,
    position: int | None = None,
) -> Match:
    groups = match.groupdict("") if match is not None else {}
    return Match(
        row, field, value, _draw(row.mailbox, groups, header), _draw(row.destination, groups, header), position
    )


def _draw(template: str | None, groups: Mapping[str, str], header: HeaderView | None) -> str | None:
    if template is None:
        return None
    if template == "@from":
        return header.from_[0].lower() if header is not None and header.from_ else None
    if template == "@sender":
        return header.sender.lower() if header is not None and header.sender else None
    if template == "@resent_from":
        return header.resent_from[0].lower() if header is not None and header.resent_from else None
    return template.format_map(groups).lower()


def _has_companion(row: Row, transaction: Transaction) -> bool:
    if row.with_field is None:
        return True
    name, _, value = row.with_field.partition(":")
    return any(
        field.name.lower() == name.lower() and field.value.lower().startswith(value.strip().lower())
        for field in transaction.fields
    )


def recipients(paths: Sequence[ForwardPathView]) -> list[str]:
    """
    The forward-paths as addresses that compare.

    RFC 5321 2.4 leaves the local part's case to its host; every mail system met in practice ignores it, and relays that
    lower it are real, so both parts are folded.
    """
    return [path.address.lower() for path in paths]
