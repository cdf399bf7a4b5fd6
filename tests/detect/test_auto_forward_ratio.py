"""``auto_forward_ratio``: enough automatic forwards, hardly any that look forwarded, and who set them up."""

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sensor.detect.auto_forward_ratio import AutoForwardRatio
from sensor.detect.base import DAY_MS, HOUR_MS, MINUTE_MS
from sensor.detect.events import Context, ForwardSeen
from sensor.model import Artifact, Finding
from tests.detect.forwards import MONDAY_MS, forward, tell


def found(events: list[ForwardSeen], **options: float) -> list[Finding]:
    return tell(AutoForwardRatio(options), events)


def series(cells: str, step_ms: int = HOUR_MS, **changes: Any) -> list[ForwardSeen]:
    """A forward a step: "a" automatic alone, "b" automatic and looking so, "v" looking so alone, "p" paired."""
    names: dict[str, Any] = {"a": "auto_only", "b": "auto_visible", "v": "visible_only", "p": "paired"}
    return [forward(MONDAY_MS + i * step_ms, cell=names[cell], **changes) for i, cell in enumerate(cells)]


@pytest.mark.parametrize(
    ("cells", "is_told"),
    [
        ("a" * 8, False),
        ("a" * 9, True),
        ("v" + "a" * 14, False),
        ("v" + "a" * 16, True),
        ("av" * 30, False),
        ("b" * 30, False),
        ("v" * 30, False),
        ("p" * 30, False),
        ("p" * 30 + "a" * 9, True),
        ("", False),
    ],
)
def test_the_lower_end_of_the_share_decides(cells: str, *, is_told: bool) -> None:
    assert bool(found(series(cells))) is is_told


def test_it_is_told_when_it_crosses_and_when_it_doubled() -> None:
    findings = found(series("a" * 40, step_ms=10 * MINUTE_MS))
    assert [finding.counts["forwards"] for finding in findings] == [9, 18, 36]
    assert len({finding.id for finding in findings}) == 1


def test_it_is_told_again_once_a_day_while_it_goes_on() -> None:
    findings = found(series("a" * 60, step_ms=4 * HOUR_MS))
    assert len(findings) <= 2 + 10
    assert {b.last_seen_ms - a.last_seen_ms for a, b in pairwise(findings)} == {DAY_MS}


def test_what_is_older_than_a_week_counts_no_more() -> None:
    """One a day never makes nine in a week: that is for the detectors of first forwards."""
    assert found(series("a" * 60, step_ms=DAY_MS)) == []


def test_forwards_to_inside_and_weak_evidence_do_not_count() -> None:
    assert found(series("a" * 30, outside=(), destinations=("bob@corp.example",))) == []
    assert found(series("a" * 30, evidence="weak")) == []


def test_a_finding_says_what_it_rests_on() -> None:
    line = Artifact(slug="exchange_inbox_rules_loop", field="X-MS-Exchange-Inbox-Rules-Loop", value="ann@corp.example")
    context = Context(
        received_7d=10, mailboxes=400, forwarders=3, clear_share=0.8, sensor_since_ms=0, mailbox_since_ms=0
    )
    finding = found(series("a" * 9, lines=(line,), context=context, missing_octets=10))[0]
    assert finding.mailbox == "ann@corp.example"
    assert finding.destinations == ("x@dst.example",)
    assert "9 of 9 marked forwards" in finding.summary
    assert "most of the 10 mails" in finding.summary
    assert (finding.level, finding.severity, finding.confidence) == ("user", "high", "high")
    assert "X-MS-Exchange-Inbox-Rules-Loop" in finding.level_reason
    assert finding.observed is not None
    assert finding.observed.low > 0.75
    assert finding.baseline is not None
    assert finding.baseline.value == 3 / 400
    assert finding.coverage.missing_octets == 90
    assert len(finding.exhibits) == 9
    assert any("TLS" in gap for gap in finding.gaps)
    assert (finding.first_seen_ms, finding.last_seen_ms) == (MONDAY_MS, MONDAY_MS + 8 * HOUR_MS)


@pytest.mark.parametrize(
    ("level", "words"), [("admin", "only an administrator"), ("either", "ATT&CK"), ("user", "rule writes")]
)
def test_level_is_argued_from_the_marks_first(level: Any, words: str) -> None:
    finding = found(series("a" * 40, level=level))[-1]
    assert finding.level == level
    assert words in finding.level_reason


def test_the_own_past_is_the_baseline_once_there_is_one() -> None:
    by_hand = [forward(MONDAY_MS - i * DAY_MS, cell="visible_only") for i in range(10, 20)]
    finding = found([*by_hand, *series("a" * 9)])[0]
    assert finding.baseline is not None
    assert (finding.baseline.what, finding.baseline.value) == ("the mailbox's auto share before", 0)
    assert finding.first_seen_ms == MONDAY_MS


def test_a_new_episode_begins_after_a_month_of_quiet() -> None:
    first, later = series("a" * 9), [forward(MONDAY_MS + 40 * DAY_MS + i * HOUR_MS) for i in range(9)]
    assert len({finding.id for finding in found(first + later)}) == 2
    soon = [forward(MONDAY_MS + 20 * DAY_MS + i * HOUR_MS) for i in range(9)]
    assert len({finding.id for finding in found(first + soon)}) == 1


def test_a_hand_forwarder_in_between_keeps_the_episode_of_the_rule_its_own() -> None:
    """Hand forwards keep the state alive, but the rule of two months ago is not the rule of today."""
    by_hand = [forward(MONDAY_MS + i * DAY_MS + 1, cell="visible_only") for i in range(60)]
    later = [forward(MONDAY_MS + 60 * DAY_MS + i * HOUR_MS) for i in range(60)]
    findings = found([*series("a" * 20), *by_hand, *later])
    assert len({finding.id for finding in findings}) == 2
    assert findings[-1].first_seen_ms == MONDAY_MS + 60 * DAY_MS


@pytest.mark.parametrize(("share", "most"), [(0.25, 0), (0.5, 8)])
def test_people_who_forward_by_hand_beside_a_rule_are_seldom_told_of(share: float, most: int) -> None:
    """Looked at after each of 20 forwards a week, 1,000 such mailboxes come above the threshold a few times at most."""
    random = Random(4)  # noqa: S311 - repeatable
    detector, told = AutoForwardRatio(), 0
    for i in range(1_000):
        state, is_told = None, False
        cells = "".join("a" if random.random() < share else "v" for _ in range(20))
        for event in series(cells, mailbox=f"m{i}@corp.example"):
            out = detector.step(state, event)
            state, is_told = out.state, is_told or bool(out.findings)
        told += is_told
    assert told <= most


@given(st.lists(st.tuples(st.integers(-30, 30), st.sampled_from("abvp")), max_size=40))
def test_any_series_keeps_within_bounds(steps: list[tuple[int, str]]) -> None:
    at_ms, events = MONDAY_MS, []
    for i, (hours, cell) in enumerate(steps):
        at_ms += hours * HOUR_MS
        [event] = series(cell, transaction_id=f"t{i}")
        events.append(replace(event, at_ms=at_ms, id=f"e{i}"))
    for finding in found(events):
        assert finding.observed is not None
        assert 0.75 < finding.observed.low <= finding.observed.value <= 1
        assert finding.counts["auto_only_7d"] >= 8
