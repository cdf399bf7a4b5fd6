"""Every labelled mail in ``cases/`` gets the verdict written beside it."""

import tomllib
from pathlib import Path

import pytest

from sensor.classify import Organisation, builtin_table, classify
from tests.mails import core_mail

CASES = sorted(Path(__file__).with_name("cases").glob("*.toml"))


def test_there_are_cases() -> None:
    assert len(CASES) >= 20


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    transaction = core_mail(case["content"], **case["envelope"])
    verdict = classify(transaction, Organisation(case["internal_domains"]))
    actual = {
        "kind": verdict.kind,
        "level": verdict.level,
        "evidence": verdict.evidence,
        "mailbox": verdict.mailbox,
        "destinations": list(verdict.destinations),
        "direction": verdict.direction,
        "look_alike": verdict.look_alike,
    }
    expected = case["expected"]
    artifacts = expected.pop("artifacts", None)
    nothing: dict[str, object] = {
        "level": "unknown",
        "evidence": None,
        "mailbox": None,
        "destinations": [],
        "look_alike": None,
    }
    assert actual == nothing | expected
    if artifacts is not None:
        assert [artifact.slug for artifact in verdict.artifacts] == artifacts


def test_every_row_but_the_unconfirmed_ones_has_a_case() -> None:
    shown = set()
    for path in CASES:
        case = tomllib.loads(path.read_text(encoding="utf-8"))
        verdict = classify(
            core_mail(case["content"], **case["envelope"]),
            Organisation(case["internal_domains"]),
        )
        shown |= {artifact.slug for artifact in verdict.artifacts}
    without = {row.slug for row in builtin_table().rows if not row.unconfirmed} - shown
    assert without == set()
