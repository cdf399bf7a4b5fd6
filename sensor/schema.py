"""
The JSON Schema of a record line, drawn from the record types so that the two cannot drift apart.

``python -m sensor.schema > docs/transaction.schema.json`` writes the committed copy; a test compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from sensor.model import SessionRecord, TransactionRecord

_Schema = dict[str, object]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What the types can't say, by (type, key): formats, bounds, patterns.
TIME: _Schema = {"format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}
_PORT: _Schema = {"minimum": 0, "maximum": 65535}
_NOT_NEGATIVE: _Schema = {"minimum": 0}
_REPLY_CODE: _Schema = {"minimum": 0, "maximum": 999}
_SLUG: _Schema = {"pattern": "^[a-z][a-z0-9_]*$"}
_TIGHTER: dict[tuple[str, str], _Schema] = {
    ("TransactionRecord", "started_at"): TIME,
    ("TransactionRecord", "ended_at"): TIME,
    ("TransactionRecord", "size_octets"): _NOT_NEGATIVE,
    ("TransactionRecord", "body_digest"): {"pattern": "^[0-9a-f]{32}$"},
    ("SessionRecord", "started_at"): TIME,
    ("SessionRecord", "ended_at"): TIME,
    ("SessionRecord", "octets_client"): _NOT_NEGATIVE,
    ("SessionRecord", "octets_server"): _NOT_NEGATIVE,
    ("FlowRecord", "community_id"): {"pattern": "^1:[A-Za-z0-9+/]{27}=$"},
    ("FlowRecord", "src_port"): _PORT,
    ("FlowRecord", "dst_port"): _PORT,
    ("SessionFacts", "transaction_index"): _NOT_NEGATIVE,
    ("ForwardPathRecord", "reply_code"): _REPLY_CODE,
    ("ReplyRecord", "code"): _REPLY_CODE,
    ("HeaderRecord", "received_count"): _NOT_NEGATIVE,
    ("AttachmentRecord", "size_octets"): _NOT_NEGATIVE,
    ("CompletenessRecord", "missing_octets"): _NOT_NEGATIVE,
    ("Artifact", "slug"): _SLUG,
    ("Forwarding", "look_alike"): _SLUG,
}


def record_schema() -> dict[str, Any]:
    """The schema of one line: a transaction or a session record, every key required and no other allowed."""
    (one, other), definitions = msgspec.json.schema_components(
        [TransactionRecord, SessionRecord], ref_template="#/$defs/{name}"
    )
    for name, definition in definitions.items():
        tighten(name, definition, _TIGHTER)
    return {
        "$schema": DIALECT,
        "title": "A line of mailsensor's records",
        "description": "One JSON object a line, as `mailsensor replay --events` writes it. Absent facts are null.",
        "oneOf": [one, other],
        "$defs": dict(sorted(definitions.items())),
    }


def tighten(name: str, definition: dict[str, Any], tighter: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
    """Require every key of *definition*, allow no other, and add what *tighter* says by (name, key)."""
    properties = definition["properties"]
    definition["required"] = list(properties)
    definition["additionalProperties"] = False
    for key, schema in properties.items():
        # Defaults are how the types are built, not something a reader may rely on: every key is there.
        schema.pop("default", None)
        extra = tighter.get((name, key))
        if extra is None:
            continue
        variants = schema.get("anyOf", [schema])
        for variant in variants:
            if variant.get("type") != "null":
                variant.update(extra)


def as_json() -> bytes:
    """The schema as the committed file holds it."""
    return msgspec.json.format(msgspec.json.encode(record_schema()), indent=2) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(as_json())
