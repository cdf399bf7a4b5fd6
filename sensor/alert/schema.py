"""
The JSON Schema of an alert line, drawn from the record types so that the two cannot drift apart.

``python -m sensor.alert.schema > docs/alert.schema.json`` writes the committed copy; a test compares them.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from sensor.alert.record import AlertRecord
from sensor.schema import DIALECT, TIME, tighten

_DIGEST = {"pattern": "^[0-9a-f]{64}$"}
_NOT_NEGATIVE = {"minimum": 0}
_TIGHTER: dict[tuple[str, str], dict[str, object]] = {
    **{("AlertRecord", key): TIME for key in ("first_fired_at", "last_updated_at", "first_seen", "last_seen")},
    ("AlertRecord", "resolved_at"): TIME,
    ("AlertRecord", "id"): {"pattern": "^[0-9a-f]{32}$"},
    ("AlertRecord", "updates"): {**_NOT_NEGATIVE},
    ("AlertRecord", "detector"): {"pattern": "^[a-z][a-z0-9_]*$"},
    ("AttackRecord", "technique"): {"pattern": r"^T\d{4}(\.\d{3})?$"},
    ("EvidenceRecord", "length"): {**_NOT_NEGATIVE},
    ("EvidenceRecord", "head"): {**_DIGEST},
    ("EvidenceRecord", "seal"): {**_DIGEST},
    ("LinkRecord", "index"): {**_NOT_NEGATIVE},
    ("LinkRecord", "previous"): {**_DIGEST},
    ("LinkRecord", "digest"): {**_DIGEST},
    ("Seen", "clear_share"): {"minimum": 0, "maximum": 1},
    ("Seen", "missing_octets"): {**_NOT_NEGATIVE},
    ("Seen", "unseen_mails"): {**_NOT_NEGATIVE},
    ("Seen", "unseen_of_mailbox"): {**_NOT_NEGATIVE},
}


def alert_schema() -> dict[str, Any]:
    """The schema of one line, every key required and no other allowed."""
    (one,), definitions = msgspec.json.schema_components([AlertRecord], ref_template="#/$defs/{name}")
    for name, definition in definitions.items():
        tighten(name, definition, _TIGHTER)
    return {
        "$schema": DIALECT,
        "title": "A line of mailsensor's alerts",
        "description": "One JSON object a line. Absent facts are null.",
        **one,
        "$defs": dict(sorted(definitions.items())),
    }


def as_json() -> bytes:
    """The schema as the committed file holds it."""
    return msgspec.json.format(msgspec.json.encode(alert_schema()), indent=2) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(as_json())
