"""Every capture of `pcaps/`: the records are true, follow the schema, hold no secret, and are the same every run."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sensor.settings import OrganisationSettings, Settings
from tests.sensing import told_of
from tests.truth import untruths

HERE = Path(__file__).parent.parent
CASES = sorted(path.parent for path in (HERE / "pcaps").glob("*/case.toml"))
SCHEMA = jsonschema.Draft202012Validator(json.loads((HERE / "docs/transaction.schema.json").read_text()))


def capture_of(case: Path) -> Path:
    """The one capture of a case."""
    (capture,) = case.glob("input.*")
    return capture


def truth_of(case: Path) -> dict[str, Any]:
    return tomllib.loads((case / "case.toml").read_text())


def settings_of(truth: dict[str, Any]) -> Settings:
    """Lab cases name the organisation that is watched."""
    domains = tuple(form for domain in truth.get("internal_domains", []) for form in (domain, f".{domain}"))
    return Settings(organisation=OrganisationSettings(internal_domains=domains))


def test_there_are_cases() -> None:
    """A wrong folder would make every other test here pass."""
    assert len(CASES) > 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_records_are_true(case: Path) -> None:
    """What the case knows, the sensor tells; and every record follows the published schema."""
    truth = truth_of(case)
    told = told_of(capture_of(case), settings=settings_of(truth))
    assert untruths(truth, told) == []
    for record in told.records:
        SCHEMA.validate(record)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_records_are_as_reviewed(case: Path) -> None:
    """The exact records; on a difference the actual ones are left beside the expected."""
    expected, actual = case / "expected.jsonl", case / "expected.actual.jsonl"
    lines = told_of(capture_of(case), settings=settings_of(truth_of(case))).lines
    if expected.read_bytes() != lines:
        actual.write_bytes(lines)
        pytest.fail(f"records differ: compare {expected} with {actual}")
    actual.unlink(missing_ok=True)
