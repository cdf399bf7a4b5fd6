"""The alert record: the committed schema is the types', and what is written comes back key by key."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sensor.alert import chain
from sensor.alert.advice import table
from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, ms_of, read_alert, record_of, rfc3339, to_line
from sensor.alert.schema import alert_schema, as_json
from sensor.model import Finding, Measured, Seen
from sensor.settings import AlertSettings
from tests.alert.findings import NOW_MS, allowed, finding, settings

DOCS = Path(__file__).parent.parent.parent / "docs"
VALIDATOR = Draft202012Validator(alert_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def plain(found: Finding, **changed: Any) -> dict[str, Any]:
    (alert,) = Policy(settings(**changed)).take([found], NOW_MS)
    record: dict[str, Any] = json.loads(to_line(record_of(alert, sensor="test")))
    return record


RECORD = plain(finding(forwards=3, baseline=Measured(what="mails", value=3.0, low=1.0, high=7.5, unit="mails")))


def test_the_committed_schema_is_current() -> None:
    """If this fails: python -m sensor.alert.schema > docs/alert.schema.json."""
    assert (DOCS / "alert.schema.json").read_bytes() == as_json()


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(alert_schema())


@pytest.mark.parametrize(
    "found",
    [
        finding(),
        finding(mailbox=None, destinations=(), exhibits=(), observed=None, coverage=Seen()),
        finding(level="admin", detector="silent_copy"),
        finding(destinations=("a@dst.example", "b@dst.example")),
    ],
)
def test_a_record_is_valid_and_comes_back_key_by_key(found: Finding) -> None:
    record = plain(found, allow=(allowed(destination="a@dst.example"),))
    VALIDATOR.validate(record)
    again = json.loads(to_line(read_alert(json.dumps(record).encode())))
    assert again == record
    assert list(again) == list(record)


@pytest.mark.parametrize("key", list(RECORD))
def test_every_key_is_required(key: str) -> None:
    record = {name: value for name, value in RECORD.items() if name != key}
    assert not VALIDATOR.is_valid(record)
    with pytest.raises(msgspec.ValidationError):
        read_alert(json.dumps(record).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"record": "transaction"},
        {"schema": 2},
        {"status": "closed"},
        {"severity": "fatal"},
        {"first_fired_at": "2026-11-22 00:00:00"},
        {"id": "1"},
        {"updates": -1},
        {"evidence": RECORD["evidence"] | {"seal": "x"}},
        {"coverage": {"clear_share": 1.5, "missing_octets": 0}},
    ],
)
def test_what_departs_from_the_contract_is_refused(change: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(RECORD)
    assert not VALIDATOR.is_valid(RECORD | change)


def test_what_has_no_bound_is_null() -> None:
    record = plain(finding(observed=Measured(what="x", value=float("nan"), low=float("-inf"), high=float("inf"))))
    assert record["observed"] == {"what": "x", "value": None, "low": None, "high": None, "unit": "share"}
    VALIDATOR.validate(record)


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (NOW_MS + 1, "2026-11-22T00:00:00.001000Z"),
        (-1, "1969-12-31T23:59:59.999000Z"),
        (10**18, "9999-12-31T23:59:59.000000Z"),
        (-(10**18), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_times_of_any_capture_can_be_written(at_ms: int, text: str) -> None:
    assert rfc3339(at_ms) == text


@given(st.integers(-62_000_000_000_000, 250_000_000_000_000))
def test_times_come_back(at_ms: int) -> None:
    assert ms_of(rfc3339(at_ms)) == at_ms


@given(st.builds(dict, **dict.fromkeys(("mailbox", "summary", "level_reason"), st.text(max_size=60))), st.text())
def test_whatever_mail_put_into_a_finding_is_written_read_and_whole(texts: dict[str, str], destination: str) -> None:
    found = finding(destinations=(destination,), mailboxes=(texts["mailbox"],), **texts)  # type: ignore[arg-type]
    record = plain(found)
    assert chain.verify(record) == []
    assert (record["mailbox"], record["summary"]) == (texts["mailbox"], texts["summary"])
    assert isinstance(read_alert(json.dumps(record).encode()), AlertRecord)


def test_every_key_is_documented() -> None:
    page = (DOCS / "alerts.md").read_text()
    assert [key for key in RECORD if f"`{key}`" not in page] == []


def test_every_setting_of_alerts_is_documented() -> None:
    page = (DOCS / "settings.md").read_text()
    names = {field.name for field in dataclasses.fields(AlertSettings)} - {"rules", "sinks"} | {"rule", "sink"}
    assert [name for name in sorted(names) if f"`alerts.{name}`" not in page] == []


def test_every_source_of_advice_is_documented_by_its_vendor() -> None:
    page = (DOCS / "alerts.md").read_text()
    platforms = {row.platform for row in table().step if row.platform not in ("any", "unknown")}
    cited = {row.platform for row in table().step if row.source and row.source in page}
    assert cited == platforms | {"unknown"}
