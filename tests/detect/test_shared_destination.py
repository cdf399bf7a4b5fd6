"""Mailboxes that forward to one address within a window."""

from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.claim import MAX_MAILBOXES
from sensor.detect.events import DestinationSeen
from sensor.detect.shared_destination import SharedDestination
from tests.detect.destinations import destination
from tests.detect.forwards import MONDAY_MS, tell

DROP = "drop@dst.example"


def at(day: float, mailbox: str, to: str = DROP) -> DestinationSeen:
    return destination(MONDAY_MS + int(day * DAY_MS), f"{mailbox}@corp.example", to)


def test_the_second_mailbox_within_a_week_crosses() -> None:
    (finding,) = tell(SharedDestination(), [at(0, "ann"), at(1, "ann"), at(6.9, "bob")])
    assert finding.mailboxes == ("ann@corp.example", "bob@corp.example")
    assert (finding.mailbox, finding.severity) == (None, "medium")


def test_a_week_and_a_minute_apart_is_not_within_a_week() -> None:
    assert tell(SharedDestination(), [at(0, "ann"), at(7.001, "bob")]) == []


def test_two_addresses_at_one_domain_are_not_shared() -> None:
    assert tell(SharedDestination(), [at(0, "ann"), at(0.1, "bob", "other@dst.example")]) == []


def test_it_is_told_again_at_doublings_and_names_all() -> None:
    findings = tell(SharedDestination(), [at(number / 100, f"m{number:02}") for number in range(20)])
    assert [finding.counts["mailboxes"] for finding in findings] == [2, 4, 8, 16]
    assert [finding.severity for finding in findings] == ["medium", "medium", "high", "high"]
    assert len(findings[-1].mailboxes) == 16
    assert len({finding.id for finding in findings}) == 1


def test_that_it_goes_on_is_told_once_a_day() -> None:
    events = [at(hour / 24, name) for hour in range(72) for name in ("ann", "bob")]
    findings = tell(SharedDestination(), events)
    assert [finding.last_seen_ms - MONDAY_MS for finding in findings] == [0, DAY_MS, 2 * DAY_MS]


def test_a_drop_at_a_free_provider_is_high_at_once() -> None:
    (finding,) = tell(SharedDestination(), [at(0, "ann", "d@gmail.com"), at(1, "bob", "d@gmail.com")])
    assert finding.severity == "high"


def test_sharing_that_comes_and_goes_stays_one_episode_until_a_long_quiet() -> None:
    weekly = [at(14 * turn + late, name) for turn in range(5) for late, name in ((0, "ann"), (1, "bob"))]
    much_later = [at(300, "ann"), at(300.1, "bob")]
    findings = tell(SharedDestination(), weekly + much_later)
    assert len({finding.id for finding in findings}) == 2


def test_more_mailboxes_than_are_kept_are_told_as_a_gap() -> None:
    events = [at(number * HOUR_MS / DAY_MS / 10, f"m{number}") for number in range(4 * MAX_MAILBOXES)]
    findings = tell(SharedDestination(), events)
    assert findings[-1].counts["mailboxes"] == len(findings[-1].mailboxes) == MAX_MAILBOXES
    assert any("had to be left out" in gap for gap in findings[-1].gaps)
    assert len(findings) < 12
