"""Every field of a record and of an alert has a row in the one table, and no text gets through."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator

from sensor.alert.alert import Alert, Cut
from sensor.alert.chain import Chain
from sensor.model import Finding, SessionRecord, TransactionRecord
from sensor.privacy import Names
from sensor.privacy.fields import FIELDS, keep, veiled
from sensor.pseudonym import Key, KeyRing, Pseudonyms
from sensor.schema import record_schema
from tests.test_schema import SESSION, TRANSACTION

ROOTS = (TransactionRecord, SessionRecord, Finding, Cut)
NAMES = Names(Pseudonyms(KeyRing([Key(b"k" * 32)])))

FREE = {
    ("TransactionRecord", "id"),
    ("TransactionRecord", "started_at"),
    ("TransactionRecord", "ended_at"),
    ("TransactionRecord", "sensor"),
    ("SessionRecord", "id"),
    ("SessionRecord", "started_at"),
    ("SessionRecord", "ended_at"),
    ("SessionRecord", "sensor"),
    ("FlowRecord", "community_id"),
    ("FlowRecord", "src_ip"),
    ("FlowRecord", "dst_ip"),
    ("SessionFacts", "client_ip"),
    ("ReplyRecord", "enhanced"),
    ("HeaderRecord", "date"),
    ("TransactionRecord", "anomalies"),
    ("SessionRecord", "anomalies"),
    ("Forwarding", "look_alike"),
    ("Artifact", "slug"),
    ("Artifact", "field"),
    ("Finding", "detector"),
    ("Finding", "technique"),
    ("Finding", "counts"),
    ("Measured", "unit"),
    ("Actor", "client_ip"),
    ("Actor", "server_ip"),
    ("Exhibit", "transaction_id"),
}
"""Texts that are told as they are: ids, times, IP addresses, and words of our own. Whoever adds one says so here."""


def structs_in(kind: Any) -> Iterator[type]:
    """A type and every structure that its fields hold."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for each in msgspec.structs.fields(kind):
            yield from structs_in(each.type)
    for each in get_args(kind):
        yield from structs_in(each)


KINDS = sorted({kind for root in ROOTS for kind in structs_in(root)}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_in_the_table(kind: type) -> None:
    """If this fails: say in sensor/privacy/fields.py what becomes of the new field."""
    assert list(FIELDS[kind]) == [each.name for each in msgspec.structs.fields(kind)]


def test_the_table_holds_nothing_else() -> None:
    assert set(FIELDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_text_that_stays_is_one_of_the_known_ones(kind: type) -> None:
    for each in msgspec.structs.fields(kind):
        if FIELDS[kind][each.name] is keep and _may_be_text(each.type):
            assert (kind.__name__, each.name) in FREE


def _may_be_text(kind: Any) -> bool:
    return kind is str or any(each is str for each in get_args(kind)) or any(map(_may_be_text, get_args(kind)))


def test_an_alert_is_made_of_what_is_in_the_table() -> None:
    """Of an alert's own fields, ids, times, severity and chain are drawn from what has passed the veil."""
    drawn = {"id", "status", "severity", "finding_ids", "chain", "first_fired_ms", "last_updated_ms", "resolved_at_ms"}
    assert {each.name for each in msgspec.structs.fields(Alert)} == {*drawn, "updates", "finding", "cuts"}
    assert {each.name for each in msgspec.structs.fields(Chain)} == {"length", "head", "links"}


MARK = "zebra"
VALIDATOR = Draft202012Validator(record_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def _marked(value: Any, path: tuple[str, ...] = ()) -> Any:
    """*value* with the mark in every text that a mail could have written."""
    if isinstance(value, dict):
        return {key: _marked(each, (*path, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_marked(each, path) for each in value]
    if isinstance(value, str) and path[-1] not in KNOWN:
        return f"{MARK} {MARK}@{MARK}.example"
    return value


KNOWN = {
    "record", "id", "started_at", "ended_at", "sensor", "tap", "community_id", "src_ip", "dst_ip", "protocol",
    "client_ip", "outcome", "enhanced", "date", "body_digest", "kind", "level", "evidence", "direction",
    "look_alike", "slug", "field", "anomalies", "tls_start",
}  # fmt: skip
"""Keys whose texts are ids, times, IP addresses, and words of the core's own."""


@pytest.mark.parametrize("record", [TRANSACTION, SESSION], ids=["transaction", "session"])
def test_nothing_that_a_mail_says_is_told(record: dict[str, Any]) -> None:
    full = json.loads(json.dumps(record))
    if "header" in full:
        full["header"] |= {key: "x" for key, value in full["header"].items() if value is None}
        full["header"] |= {key: ["x"] for key, value in full["header"].items() if value == []}
        full["forwarding"] |= {"mailbox": "x", "destinations": ["x"]}
        full["forwarding"]["artifacts"] = [{"slug": "srs0", "field": "x", "value": "x"}]
        full["forward_paths"][0]["orcpt"] = "x"
        full["attachments"][0]["filename"] = "x"
        full["reverse_path_params"] |= {"ENVID": "x", "AUTH": "x"}
        full["session"]["auth_user"] = "x"
    kind = TransactionRecord if record is TRANSACTION else SessionRecord
    read = msgspec.convert(_marked(full), kind)
    told = json.loads(msgspec.json.encode(veiled(read, NAMES)))
    assert MARK not in json.dumps(told)
    VALIDATOR.validate(told)
    assert list(told) == list(record)
