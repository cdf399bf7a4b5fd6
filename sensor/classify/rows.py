"""
The rows of the artifact table: read from TOML, checked key by key.

Rows come from ``artifacts.toml`` and from the user's settings file, under the same schema. A bad row is an error that
names the row, the key and the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, get_args

import msgspec

from sensor.errors import UserError
from sensor.model import Evidence, Kind, Level

PLACES: Mapping[str, tuple[str, ...]] = {
    "reverse_path": ("marks", "pattern"),
    "recipient": ("pattern",),
    "field": ("field", "pattern"),
    "subject": ("prefixes",),
    "body": ("marks",),
    "report": ("marks",),
    "reply": ("marks",),
    "attached_message": ("pattern",),
    "structure": ("shape",),
}
"""Where a row is looked for, and the keys that a row of that place needs."""

REQUIREMENTS = (
    "anothers_mail",
    "one_recipient",
    "mailbox_addressed",
    "recipient_unaddressed",
    "recipient_elsewhere",
    "came_from_elsewhere",
    "forward_shape",
    "no_resent_to",
    "resent_block",
    "loop_guard_beside",
    "no_loop_guard_beside",
    "from_its_hosts",
    "thread_sign",
    "forward_sign",
    "forward_language",
    "something_passed_on",
    "label_block",
    "not_a_reply",
    "a_persons",
)
SHAPES = (
    "sent_by_addressee",
    "received_for_another",
    "received_for_addressee",
    "recipient_unaddressed",
    "null_sender",
    "sender_rewritten",
    "authors_signature",
    "topic_behind_prefix",
    "thread_goes_on",
    "redirected_by_hand",
)
NOT_A_FORWARD = (
    "journal",
    "delivery_report",
    "receipt",
    "abuse_report",
    "moderation",
    "policy_notice",
    "auto_reply",
)
LOOK_ALIKES = (
    *NOT_A_FORWARD,
    "list",
    "bulk_mail",
    "digest",
    "ticket",
    "group_expansion",
    "admin_copy",
    "shared_mailbox",
    "phish_report",
    "wrapped_message",
    "tenant_relay",
    "gateway_hop",
    "stale_marker",
    "alias_service",
    "meeting_forward",
    "foreign_forward",
)
GROUPS: Mapping[str, tuple[str, ...]] = {"not_a_forward": NOT_A_FORWARD}
"""Names that stand for several look-alikes in ``contradicted_by``."""

HEADER_SOURCES = ("@from", "@sender", "@resent_from", "@reverse_path")
LABELS = ("from", "date", "to", "subject")
# The core tells languages apart by the bits of one word.
LANGUAGES_MAX = 64
# A table of thousands would cost every mail; the core refuses more patterns than its search can hold.
USER_ROWS_MAX = 500


class ArtifactError(UserError, ValueError):
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
    languages: tuple[str, ...] = ()
    shape: str | None = None
    pattern: str | None = None
    mailbox: str | None = None
    destination: str | None = None
    requires: tuple[str, ...] = ()
    with_field: str | None = None
    hosts: tuple[str, ...] = ()
    prepended: bool = False
    touches: bool = True
    contradicted_by: tuple[str, ...] = ("not_a_forward",)
    look_alike: str | None = None
    unconfirmed: bool = False
    note: str | None = None

    @property
    def spoken_against_by(self) -> frozenset[str]:
        """The look-alikes of ``contradicted_by``, groups taken apart."""
        return _expanded(self.contradicted_by)


@cache
def _expanded(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(each for name in names for each in GROUPS.get(name, (name,)))


@dataclass(frozen=True, slots=True)
class Language:
    """What mail clients write in one language. ``labels`` holds the texts by field, in the order of ``LABELS``."""

    code: str
    reply: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]


@cache
def languages() -> tuple[Language, ...]:
    """The languages of mail clients, as they are shipped."""
    return tuple(
        Language(
            each["code"],
            tuple(each["reply"]),
            tuple(tuple(each[label]) for label in LABELS),
        )
        for each in _document("languages.toml")["language"]
    )


@cache
def shipped() -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The rows of ``artifacts.toml``, and the fields that tell look-alikes apart."""
    document = _document("artifacts.toml")
    return tuple(check_rows(document["artifact"])), tuple(document["context"]["fields"])


def _document(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("sensor.classify").joinpath(name).read_text(encoding="utf-8"))


def check_rows(raw_rows: Sequence[object], taken: Iterable[str] = ()) -> list[Row]:
    """Rows from their TOML form; no slug may be *taken*. Raises ``ArtifactError`` for the first that is wrong."""
    rows: list[Row] = []
    slugs = set(taken)
    for number, raw in enumerate(raw_rows, start=1):
        row = _row(number, raw)
        if row.slug in slugs:
            raise ArtifactError(f"{_name(number, raw)}: slug: another row has this slug already")
        slugs.add(row.slug)
        rows.append(row)
    return rows


def _row(number: int, raw: object) -> Row:
    try:
        row = msgspec.convert(raw, Row)
    except msgspec.ValidationError as error:
        raise ArtifactError(f"{_name(number, raw)}: {_in_words(str(error))}") from None
    for key, reason in _faults(row):
        raise ArtifactError(f"{_name(number, raw)}: {key}: {reason}")
    return row


def _name(number: int, raw: object) -> str:
    slug = raw.get("slug", "no slug") if isinstance(raw, dict) else "no table"
    return f'artifact row {number} ("{slug}")'


def _in_words(message: str) -> str:
    """The decoder's message: its key first, and what is allowed behind it."""
    text, _, path = message.partition(" - at `$.")
    key = path.rstrip("`")
    allowed = {
        "kind": ("auto", "visible"),
        "level": get_args(Level),
        "evidence": get_args(Evidence),
    }
    if key in allowed:
        return f"{key}: {text}; allowed are {', '.join(allowed[key])}"
    named = re.search("`(?P<key>[^`]+)`", text) if not key else None
    key = key or (named["key"] if named else "row")
    return f"{key}: {text}; the keys are {', '.join(Row.__struct_fields__)}"


def _faults(row: Row) -> Iterator[tuple[str, str]]:
    """What is wrong with a row whose types are right: (key, reason)."""
    yield from _name_faults(row)
    yield from _word_faults(row)
    for key in PLACES.get(row.place, ()):
        if not getattr(row, key):
            yield key, f"a row of place {row.place} needs it"
    if row.unconfirmed and row.evidence != "weak":
        yield "evidence", "a row that is unconfirmed is weak"
    if row.field is not None and not re.fullmatch("[!-9;-~]{1,128}", row.field):
        yield (
            "field",
            "must be a field name of 1 to 128 visible ASCII characters without a colon (RFC 5322 2.2)",
        )
    yield from _template_faults(row)


def _name_faults(row: Row) -> Iterator[tuple[str, str]]:
    """Names must be among those that code knows."""
    if re.fullmatch("[a-z][a-z0-9_]*", row.slug) is None:
        yield "slug", "must be lower case letters, digits and underscores"
    if row.kind not in ("auto", "visible"):
        yield "kind", "a row is auto or visible"
    codes = [language.code for language in languages()]
    for key, names, known in (
        ("place", [row.place], PLACES),
        ("shape", [row.shape] if row.shape is not None else [], SHAPES),
        ("languages", row.languages, codes),
        ("requires", row.requires, REQUIREMENTS),
        ("contradicted_by", row.contradicted_by, (*GROUPS, *LOOK_ALIKES)),
        (
            "look_alike",
            [row.look_alike] if row.look_alike is not None else [],
            LOOK_ALIKES,
        ),
    ):
        for name in names:
            if name not in known:
                yield key, f'"{name}" is none of {", ".join(known)}'


def _word_faults(row: Row) -> Iterator[tuple[str, str]]:
    """Texts must be as the core compares them."""
    if "" in row.marks or "" in row.prefixes:
        yield "marks or prefixes", "an empty text would be found everywhere"
    if row.place == "reverse_path" and any(mark != mark.lower() or not mark.isascii() for mark in row.marks):
        yield "marks", "must be lower case ASCII"
    if any(prefix != prefix.lower() for prefix in row.prefixes):
        yield "prefixes", "must be lower case"


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
        missing = sorted(set(re.findall(r"\{(\w*)\}", template)) - groups)
        if missing:
            yield key, f"the pattern has no group named {', '.join(missing)}"
        elif re.search(r"[{}]", re.sub(r"\{\w+\}", "", template)):
            yield key, "braces may only stand around the name of a group of the pattern"


__all__ = [
    "GROUPS",
    "HEADER_SOURCES",
    "LABELS",
    "LOOK_ALIKES",
    "NOT_A_FORWARD",
    "PLACES",
    "REQUIREMENTS",
    "SHAPES",
    "USER_ROWS_MAX",
    "ArtifactError",
    "Language",
    "Row",
    "check_rows",
    "languages",
    "shipped",
]
