"""A domain that rules forward to for the first time."""

import pytest

from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.events import Context
from sensor.detect.new_destination import NewDestination
from tests.detect.destinations import destination
from tests.detect.forwards import MONDAY_MS, tell


def test_the_first_forward_to_a_domain_is_told_and_that_it_goes_on_once_a_day() -> None:
    events = [destination(MONDAY_MS + hour * HOUR_MS, "ann@corp.example", "x@dst.example") for hour in range(60)]
    finding, *later = tell(NewDestination(), events)
    assert [each.last_seen_ms for each in later] == [MONDAY_MS + DAY_MS, MONDAY_MS + 2 * DAY_MS]
    assert {each.id for each in later} == {finding.id}
    assert finding.mailbox is None
    assert finding.mailboxes == ("ann@corp.example",)
    assert finding.destinations == ("x@dst.example",)
    assert finding.severity == "medium"


def test_it_is_told_again_when_mailboxes_double_or_join_after_a_day() -> None:
    events = [
        destination(MONDAY_MS + number, f"m{number}@corp.example", f"{number}@dst.example") for number in range(5)
    ]
    events.append(destination(MONDAY_MS + 2 * DAY_MS, "late@corp.example", "x@dst.example"))
    findings = tell(NewDestination(), events)
    assert [(finding.counts["mailboxes"], finding.severity) for finding in findings] == [
        (1, "medium"),
        (2, "medium"),
        (4, "high"),
        (6, "high"),
    ]
    assert len({finding.id for finding in findings}) == 1


def test_it_says_who_forwards_to_whom_as_long_as_all_can_be_named() -> None:
    pairs = [("ann@corp.example", "a@dst.example"), ("bob@corp.example", "b@dst.example")]
    events = [destination(MONDAY_MS + number, *pair) for number, pair in enumerate(pairs)]
    assert tell(NewDestination(), events)[-1].pairs == tuple(pairs)
    many = [
        destination(MONDAY_MS + number, f"m{number % 20}@corp.example", f"{number // 20}@dst.example")
        for number in range(400)
    ]
    late = destination(MONDAY_MS + 2 * DAY_MS, "late@corp.example", "a@dst.example")
    assert len(tell(NewDestination(), [*many[:60], late])[-1].pairs) == 61
    assert tell(NewDestination(), [*many, late])[-1].pairs == ()


@pytest.mark.parametrize(
    ("domain", "watched_ms", "severity"),
    [
        ("gmail.com", 8 * DAY_MS, "high"),
        ("GMAIL.COM.", 8 * DAY_MS, "high"),
        ("mail.gmail.com", 8 * DAY_MS, "medium"),
        ("partner.example", 8 * DAY_MS, "medium"),
        ("gmail.com", 6 * DAY_MS, "low"),
    ],
)
def test_severity_is_by_provider_and_by_how_long_was_watched(domain: str, watched_ms: int, severity: str) -> None:
    context = Context(sensor_since_ms=MONDAY_MS - watched_ms)
    (finding,) = tell(NewDestination(), [destination(MONDAY_MS, "ann@corp.example", f"x@{domain}", context=context)])
    assert finding.severity == severity


def test_weak_evidence_and_forwards_by_hand_make_no_domain_known() -> None:
    events = [
        destination(MONDAY_MS, "ann@corp.example", "x@dst.example", evidence="weak"),
        destination(MONDAY_MS + 1, "ann@corp.example", "x@dst.example", cell="visible_only"),
    ]
    assert tell(NewDestination(), events) == []
