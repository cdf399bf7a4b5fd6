"""A mailbox's first automatic forward: what is one, what was there before, and when it is news again."""

from typing import Any

import pytest

from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.events import Context
from sensor.detect.new_forwarder import NewForwarder
from tests.detect.forwards import MONDAY_MS, forward, tell


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({}, True),
        ({"cell": "auto_visible"}, True),
        ({"cell": "paired", "evidence": "strong"}, True),
        ({"cell": "paired", "evidence": "weak"}, False),
        ({"evidence": "weak"}, False),
        ({"cell": "visible_only"}, False),
        ({"outside": ()}, False),
        ({"mailbox": ""}, False),
    ],
)
def test_one_forward_by_a_rule_on_good_evidence_is_enough(changes: dict[str, Any], is_told: bool) -> None:
    assert bool(tell(NewForwarder(), [forward(MONDAY_MS, **changes)])) == is_told


@pytest.mark.parametrize(
    ("watched_ms", "to", "severity", "words"),
    [
        (71 * HOUR_MS, "x@gmail.com", "low", "perhaps since before the sensor came"),
        (72 * HOUR_MS, "x@gmail.com", "high", "began to forward"),
        (72 * HOUR_MS, "x@dst.example", "medium", "began to forward"),
    ],
)
def test_what_begins_while_the_sensor_learns_is_told_as_known_before(
    watched_ms: int, to: str, severity: str, words: str
) -> None:
    context = Context(sensor_since_ms=MONDAY_MS - watched_ms)
    later = forward(MONDAY_MS + 9 * HOUR_MS, to=to, context=context)
    findings = tell(NewForwarder(), [forward(MONDAY_MS, to=to, context=context), later])
    assert {finding.severity for finding in findings} == {severity}
    assert all(words in finding.summary for finding in findings)


def test_where_nothing_tells_how_long_was_watched_nothing_is_called_new() -> None:
    (finding,) = tell(NewForwarder(), [forward(MONDAY_MS, context=Context())])
    assert finding.severity == "low"


def test_it_is_told_again_at_doublings_and_after_a_day_under_one_id() -> None:
    findings = tell(NewForwarder(), [forward(MONDAY_MS + number * HOUR_MS) for number in range(40)])
    assert [finding.counts["forwards"] for finding in findings] == [1, 2, 4, 8, 16, 32]
    assert len({finding.id for finding in findings}) == 1
    assert findings[-1].counts["octets"] == 32 * 20_000
    assert (findings[-1].first_seen_ms, findings[-1].last_seen_ms) == (MONDAY_MS, MONDAY_MS + 31 * HOUR_MS)
    daily = tell(NewForwarder(), [forward(MONDAY_MS + day * DAY_MS) for day in range(6)])
    assert [finding.counts["forwards"] for finding in daily] == [1, 2, 3, 4, 5, 6]


def test_a_long_quiet_makes_it_news_again() -> None:
    findings = tell(
        NewForwarder(),
        [forward(MONDAY_MS), forward(MONDAY_MS + 90 * DAY_MS), forward(MONDAY_MS + 181 * DAY_MS)],
    )
    assert [finding.counts["forwards"] for finding in findings] == [1, 2, 1]
    assert len({finding.id for finding in findings}) == 2


def test_mailboxes_and_destinations_are_named_and_each_mailbox_stands_for_itself() -> None:
    findings = tell(
        NewForwarder(),
        [
            forward(MONDAY_MS, to="a@dst.example"),
            forward(MONDAY_MS + 1, to="b@dst.example"),
            forward(MONDAY_MS + 2, mailbox="bob@corp.example"),
        ],
    )
    assert [finding.mailbox for finding in findings] == ["ann@corp.example", "ann@corp.example", "bob@corp.example"]
    assert findings[1].destinations == ("a@dst.example", "b@dst.example")
    assert findings[1].summary.endswith("to a@dst.example and 1 more")


def test_marks_decide_the_confidence() -> None:
    (proved,) = tell(NewForwarder(), [forward(MONDAY_MS)])
    (unproved,) = tell(NewForwarder(), [forward(MONDAY_MS, evidence="strong")])
    assert (proved.confidence, unproved.confidence) == ("high", "medium")
