"""The query parameters of the API: their names, their checks, and how each is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import parse_qsl

from sensor.model import Level, Severity

MOST = 1_000
"""Rows of one page."""

USUAL = 100
QUERY_OCTETS = 4_096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class QueryError(Exception):
    """A parameter is wrong; the message says which and what is allowed."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: *read* gives its value or raises ``ValueError`` with the rule; *schema* is its JSON Schema."""

    name: str
    meaning: str
    read: Callable[[str], Any]
    schema: Mapping[str, object]
    is_required: bool = False


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 12 and least <= int(text) <= most):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return read


def _moment(text: str) -> int:
    """Milliseconds since the epoch."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int((moment - _EPOCH).total_seconds() * 1000)
    except (ValueError, OverflowError):
        raise ValueError("must be a day or time such as 2026-11-22 or 2026-11-22T06:00:00Z") from None


def _message_id(text: str) -> str:
    """Without its brackets, as records have it."""
    bare = text.strip("<> ")
    # RFC 5322 2.1.1: a line has at most 998 octets.
    if not bare or len(bare) > 998:
        raise ValueError("must be a Message-ID")
    return bare


def _yes(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


_TEXT: Mapping[str, object] = {"type": "string"}

LIMIT = Parameter(
    "limit",
    f"Rows of the page; {USUAL} if not given.",
    _whole(1, MOST),
    {"type": "integer", "minimum": 1, "maximum": MOST},
)
OFFSET = Parameter("offset", "Rows to pass over.", _whole(0, 10**9), {"type": "integer", "minimum": 0})
MAILBOX = Parameter("mailbox", "This mailbox alone.", str.lower, _TEXT)
DESTINATION = Parameter("destination", "This destination alone.", str.lower, _TEXT)
DOMAIN = Parameter("domain", "Addresses of this domain alone.", str.lower, _TEXT)
SINCE = Parameter(
    "since", "What was last seen at or after this time.", _moment, {"type": "string", "format": "date-time"}
)
LEVEL = Parameter("level", "This level alone.", _one_of(*get_args(Level)), {"enum": list(get_args(Level))})
MIN_AUTO = Parameter(
    "min_auto", "At least so many automatic forwards.", _whole(0, 10**9), {"type": "integer", "minimum": 0}
)
OUTSIDE = Parameter("outside", "Those outside the organisation, or inside.", _yes, {"type": "boolean"})
STATUS = Parameter("status", "This status alone.", _one_of("firing", "resolved"), {"enum": ["firing", "resolved"]})
SEVERITY = Parameter(
    "severity", "This severity alone.", _one_of(*get_args(Severity)), {"enum": list(get_args(Severity))}
)
DETECTOR = Parameter("detector", "Alerts of this detector alone.", str, _TEXT)
MESSAGE_ID = Parameter("message_id", "The mail's Message-ID.", _message_id, _TEXT, is_required=True)

Query = Mapping[str, Any]
"""Values by name; those not given are left out, but ``limit`` and ``offset`` are always there."""


def read_query(octets: bytes, allowed: Sequence[Parameter]) -> Query:
    """The parameters of a request. Raises ``QueryError`` for one that is unknown, wrong, repeated or missing."""
    if len(octets) > QUERY_OCTETS:
        raise QueryError(f"a query has at most {QUERY_OCTETS} octets")
    known = {each.name: each for each in allowed}
    query: dict[str, Any] = {}
    for name, text in parse_qsl(octets.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=None):
        if name not in known:
            raise QueryError(f"unknown parameter {name[:40]!r}; allowed: {', '.join(known)}")
        if name in query:
            raise QueryError(f"{name} is given twice")
        try:
            query[name] = known[name].read(text)
        except ValueError as error:
            raise QueryError(f"{name} {error}") from None
    for each in allowed:
        if each.is_required and each.name not in query:
            raise QueryError(f"{each.name} is needed")
    return {"limit": USUAL, "offset": 0} | query
