"""The committed schema is the one the types give, and it accepts a record and nothing looser."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from sensor.classify import NONE
from sensor.model import SessionRecord, TransactionRecord, ns_of, read_record
from sensor.schema import as_json, record_schema

DOCS = Path(__file__).parent.parent / "docs"

TRANSACTION: dict[str, Any] = {
    "record": "transaction",
    "schema": 1,
    "id": "0123456789abcdef",
    "started_at": "2026-11-22T01:04:17.000001Z",
    "ended_at": "2026-11-22T01:04:18.000000Z",
    "sensor": "mailsensor",
    "tap": "pcap",
    "flow": {
        "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "src_ip": "192.0.2.1",
        "src_port": 40000,
        "dst_ip": "2001:db8::1",
        "dst_port": 25,
    },
    "session": {
        "protocol": "esmtp",
        "helo": "mx.corp.example",
        "auth_user": None,
        "tls": False,
        "client_ip": "192.0.2.1",
        "transaction_index": 0,
    },
    "reverse_path": "",
    "reverse_path_params": {"SIZE": "100", "SMTPUTF8": None},
    "forward_paths": [{"address": "ann@corp.example", "reply_code": 250, "accepted": True, "orcpt": None}],
    "outcome": "delivered",
    "reply": {"code": 250, "enhanced": "2.0.0", "text": "queued"},
    "size_octets": 100,
    "header": {
        "message_id": "1@shop.example",
        "from": ["bill@shop.example"],
        "sender": None,
        "to": ["ann@corp.example"],
        "cc": [],
        "reply_to": [],
        "subject": "Grüße",
        "date": "2026-11-22T01:04:17+01:00",
        "in_reply_to": None,
        "references": [],
        "resent_from": [],
        "delivered_to": [],
        "list_id": None,
        "auto_submitted": None,
        "received_count": 1,
        "thread_topic": None,
    },
    "attachments": [{"filename": None, "content_type": "message/rfc822", "size_octets": 10}],
    "body_digest": "0123456789abcdef0123456789abcdef",
    "forwarding": json.loads(msgspec.json.encode(NONE)),
    "completeness": {"missing_octets": 0, "one_sided": False, "midstream": False, "truncated": False},
    "anomalies": ["smtp_bare_lf"],
}
SESSION: dict[str, Any] = {
    "record": "session",
    **{key: TRANSACTION[key] for key in ("schema", "id", "started_at", "ended_at", "sensor", "tap", "flow", "session")},
    "tls_start": "starttls",
    "sni": "mx.dst.example",
    "octets_client": 1,
    "octets_server": 2,
    "completeness": TRANSACTION["completeness"],
    "anomalies": [],
}
VALIDATOR = Draft202012Validator(record_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_committed_schema_is_current() -> None:
    """If this fails: python -m sensor.schema > docs/transaction.schema.json."""
    assert (DOCS / "transaction.schema.json").read_bytes() == as_json()


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(record_schema())


@pytest.mark.parametrize("record", [TRANSACTION, SESSION], ids=["transaction", "session"])
def test_a_record_is_valid_and_comes_back_key_by_key(record: dict[str, Any]) -> None:
    VALIDATOR.validate(record)
    line = json.dumps(record).encode()
    read = read_record(line)
    assert isinstance(read, TransactionRecord if record is TRANSACTION else SessionRecord)
    again = json.loads(msgspec.json.encode(read))
    assert again == record
    assert list(again) == list(record)


def test_a_mail_without_content_is_valid() -> None:
    nothing: dict[str, Any] = {
        "header": None,
        "size_octets": None,
        "attachments": [],
        "body_digest": None,
        "reply": None,
    }
    VALIDATOR.validate(TRANSACTION | nothing | {"reverse_path": None, "outcome": "aborted"})


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"outcome": "lost"},
        {"tap": "span"},
        {"schema": 2},
        {"started_at": "2026-11-22 01:04:17"},
        {"size_octets": -1},
        {"body_digest": "xyz"},
        {"flow": TRANSACTION["flow"] | {"dst_port": 70_000}},
        {"forwarding": TRANSACTION["forwarding"] | {"evidence": "certain"}},
        {"forwarding": {"kind": "none"}},
    ],
)
def test_what_departs_from_the_contract_is_refused(change: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(TRANSACTION | change)


@pytest.mark.parametrize("key", list(TRANSACTION))
def test_every_key_is_required(key: str) -> None:
    assert not VALIDATOR.is_valid({name: value for name, value in TRANSACTION.items() if name != key})


def test_times_of_records_are_exact() -> None:
    assert ns_of("1970-01-02T00:00:00.000001Z") == 86_400_000_001_000
