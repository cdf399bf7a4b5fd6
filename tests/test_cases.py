"""The crafted cases are whole: remade octet for octet, told in a README, and true by the second opinion."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pcaps.craft import HERE, cases, differing, made
from tests.oracle import read_capture

CASES = cases()
ANOMALIES = set(re.findall(r'= "([a-z0-9_]+)":', (HERE.parent / "sensor/core/wire/src/anomaly.rs").read_text()))
COUNTERS = set(re.findall(r"(?m)^ {4}([a-z0-9_]+),$", (HERE.parent / "sensor/core/wire/src/counters.rs").read_text()))
OUTCOMES = {"delivered", "rejected", "deferred", "aborted", "unknown"}
DAMAGE = {"truncated", "corrupt", "unreadable", "empty", "not_a_capture"}

TOP: dict[str, type] = {
    "whole": bool, "quiet": bool, "no_records": bool, "further_transactions": int, "damage": list, "exit_status": int,
    "secrets": list, "counters": dict, "transaction": list, "session": list,
}  # fmt: skip
TRANSACTION: dict[str, type | tuple[type, ...]] = {
    "reverse_path": str, "reverse_path_params": dict, "recipients": list, "outcome": (str, list), "reply_code": int,
    "subject": str, "message_id": str, "from": list, "to": list, "attachments": list, "size_octets": int,
    "missing_octets": int, "missing": bool, "one_sided": bool, "midstream": bool, "truncated": bool, "anomalies": list,
    "helo": str, "protocol": str, "auth_user": str, "client_ip": str, "transaction_index": int, "started_at": str,
    "unseen": list,
}  # fmt: skip
SESSION: dict[str, type] = {
    "tls_start": str, "sni": str, "helo": str, "protocol": str, "client_ip": str, "client_octets": int,
    "server_octets": int, "anomalies": list, "unseen": list,
}  # fmt: skip


def truth(case: Path) -> dict[str, Any]:
    return tomllib.loads((case / "case.toml").read_text())


def fits(table: dict[str, Any], schema: Any) -> None:
    for key, value in table.items():
        assert isinstance(value, schema[key]), key


def test_there_are_cases() -> None:
    """A wrong folder would make every other test here pass."""
    assert len(CASES) > 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_is_as_its_make_says(case: Path) -> None:
    """The capture and the dialogue in the README are those that `make.py` makes, and the story says more than that."""
    assert differing(case) == []
    assert "**A wrong sensor**" in (case / "README.md").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_truth_follows_the_schema(case: Path) -> None:
    """Known keys of the right types, known slugs, outcomes and counters, and at least one statement."""
    told = truth(case)
    fits(told, TOP)
    assert told.get("transaction") or told.get("session") or "further_transactions" in told or told.get("no_records")
    assert set(told.get("damage", [])) <= DAMAGE
    assert set(told.get("counters", {})) <= COUNTERS
    records: list[tuple[dict[str, Any], Any]] = [(one, TRANSACTION) for one in told.get("transaction", [])]
    for record, schema in [*records, *((one, SESSION) for one in told.get("session", []))]:
        fits(record, schema)
        assert set(record.get("anomalies", [])) <= ANOMALIES
        assert set(record.get("unseen", [])) <= set(schema) - set(record)
        assert not (told.get("quiet") and record.get("anomalies"))
        outcome = record.get("outcome", [])
        assert set([outcome] if isinstance(outcome, str) else outcome) <= OUTCOMES


@pytest.mark.parametrize("case", [case for case in CASES if truth(case).get("whole")], ids=lambda case: case.name)
def test_oracle_tells_the_same_truth(case: Path) -> None:
    """Every key that both tell is equal, transaction by transaction."""
    read = read_capture(made(case).octets)
    told = truth(case).get("transaction", [])
    assert len(read) == len(told)
    for record, expected in zip(read, told, strict=True):
        common = {key: value for key, value in expected.items() if key in record}
        assert {key: record[key] for key in common} == common
        assert not any(record.get(key) for key in expected.get("unseen", []))


@pytest.mark.parametrize("case", [case for case in CASES if truth(case).get("secrets")], ids=lambda case: case.name)
def test_planted_secrets_are_in_the_capture(case: Path) -> None:
    """A secret that was never sent would prove nothing by its absence."""
    octets = made(case).octets
    assert any(secret.encode() in octets for secret in truth(case)["secrets"])
