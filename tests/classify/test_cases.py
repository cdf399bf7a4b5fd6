"""Every labelled mail in ``cases/`` gets the verdict written beside it."""

from pathlib import Path

import pytest

from sensor.classify import Organisation, builtin_table, classify
from sensor.classify.rows import LOOK_ALIKES
from tests.classify.casework import CASES, NOTHING, confusion, judged, page, read_case

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_there_are_cases() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = read_case(path)
    verdict = classify(case.mail, case.organisation)
    actual = {
        "kind": verdict.kind,
        "level": verdict.level,
        "evidence": verdict.evidence,
        "mailbox": verdict.mailbox,
        "destinations": list(verdict.destinations),
        "direction": verdict.direction,
        "look_alike": verdict.look_alike,
    }
    expected = dict(case.expected)
    artifacts = expected.pop("artifacts", None)
    assert actual == NOTHING | expected
    if artifacts is not None:
        assert [artifact.slug for artifact in verdict.artifacts] == artifacts


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_core_touches_whatever_has_a_verdict(path: Path) -> None:
    """Mail that the core calls untouched is not looked at: that must not hide anything."""
    case = read_case(path)
    verdict = judged(case).forwarding
    if verdict.kind != "none" or verdict.mailbox is not None:
        assert case.mail.touched
    assert classify(case.mail, case.organisation).kind == verdict.kind


def test_every_row_but_the_unconfirmed_ones_has_a_case() -> None:
    shown = {artifact.slug for path in CASES for artifact in judged(read_case(path)).forwarding.artifacts}
    without = {row.slug for row in builtin_table().rows if not row.unconfirmed} - shown
    assert without == set()


def test_every_look_alike_has_a_case() -> None:
    shown = {read_case(path).expected.get("look_alike") for path in CASES}
    named = {alike for path in CASES for alike in judged(read_case(path)).look_alikes}
    assert set(LOOK_ALIKES) - shown - named == set()


def test_the_confusion_matrix_is_that_of_the_docs() -> None:
    """``make test`` prints it at its end, so that who changes a rule sees at once what moved."""
    matrix = confusion(read_case(path) for path in CASES)
    assert sum(matrix[truth][told] for truth in matrix for told in matrix if truth != told) == 0
    assert (DOCS / "confusion.md").read_text(encoding="utf-8") == page()


def test_without_any_domain_no_case_becomes_a_forward_of_ours() -> None:
    """Marks still count, but nothing is called outbound where nobody said who we are."""
    for path in CASES:
        verdict = classify(read_case(path).mail, Organisation())
        assert verdict.direction == "unknown"
