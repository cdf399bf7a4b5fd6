"""Records as OCSF Email Activity: valid by the published schema, for every mail of the captures."""

import json
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema  # type: ignore[import-untyped]

from sensor.report.email_activity import to_email_activity_line
from tests.test_schema import SESSION, TRANSACTION

PCAPS = Path(__file__).parent.parent.parent / "pcaps"


@cache
def validator(version: str) -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version)).get_class_schema(class_name="email_activity")
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def recorded() -> list[bytes]:
    """The records that the captures of real servers are known to give."""
    return [line for path in sorted(PCAPS.glob("lab_*/expected.jsonl")) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("version", ["1.5.0", "1.8.0"])
def test_every_recorded_mail_is_valid_by_the_published_schema(version: str) -> None:
    events = [line for record in recorded() if (line := to_email_activity_line(record)) is not None]
    assert len(events) > 50
    for line in events:
        assert [error.message for error in validator(version).iter_errors(json.loads(line))] == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"header": None},
        {"reverse_path": "", "reply": None, "size_octets": None},
        {"header": TRANSACTION["header"] | {"from": [], "to": []}},
    ],
)
def test_any_record_is_valid(change: dict[str, object]) -> None:
    line = to_email_activity_line(json.dumps(TRANSACTION | change).encode())
    assert line is not None
    assert [error.message for error in validator("1.5.0").iter_errors(json.loads(line))] == []


@pytest.mark.parametrize(
    ("outcome", "status"), [("delivered", 1), ("rejected", 2), ("deferred", 2), ("aborted", 2), ("unknown", 0)]
)
def test_what_was_not_delivered_is_no_success(outcome: str, status: int) -> None:
    line = to_email_activity_line(json.dumps(TRANSACTION | {"outcome": outcome}).encode())
    assert line is not None
    assert json.loads(line)["status_id"] == status


@pytest.mark.parametrize(
    ("direction", "activity", "number"), [("inbound", 2, 1), ("outbound", 1, 2), ("internal", 1, 3), ("transit", 1, 0)]
)
def test_directions_are_those_of_ocsf(direction: str, activity: int, number: int) -> None:
    record = TRANSACTION | {"forwarding": TRANSACTION["forwarding"] | {"direction": direction}}
    line = to_email_activity_line(json.dumps(record).encode())
    assert line is not None
    event = json.loads(line)
    assert (event["activity_id"], event["direction_id"], event["type_uid"]) == (activity, number, 400900 + activity)


def test_a_mail_without_an_address_that_ocsf_knows_is_not_told() -> None:
    """OCSF wants a From or a To; the null reverse-path is neither, and nothing is invented in its place."""
    nobody: dict[str, object] = {"header": None, "reverse_path": "", "forward_paths": []}
    assert to_email_activity_line(json.dumps(TRANSACTION | nobody).encode()) is None


def test_addresses_that_ocsf_does_not_know_stay_under_our_names() -> None:
    paths = [{"address": "übung@corp.example", "reply_code": 250, "accepted": True, "orcpt": None}]
    line = to_email_activity_line(json.dumps(TRANSACTION | {"reverse_path": "", "forward_paths": paths}).encode())
    assert line is not None
    event = json.loads(line)
    assert "smtp_to" not in event["email"]
    assert [each["address"] for each in event["unmapped"]["forward_paths"]] == ["übung@corp.example"]
    assert event["unmapped"]["reverse_path"] == ""


def test_a_session_in_tls_is_no_mail() -> None:
    assert to_email_activity_line(json.dumps(SESSION).encode()) is None
