"""Forwards that were refused."""

from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.events import ForwardRefused, stable_id
from sensor.detect.forwarding_blocked import ForwardingBlocked
from tests.detect.forwards import MONDAY_MS, WATCHED, tell

POLICY = "550 5.7.520 Access denied, Your organization does not allow external forwarding"


def refused(at_ms: int, *, is_policy: bool = False, reply: str = "552 5.2.2 Mailbox full") -> ForwardRefused:
    return ForwardRefused(
        id=stable_id("refused", str(at_ms)),
        at_ms=at_ms,
        transaction_id=f"t{at_ms}",
        mailbox="lea@corp.example",
        destinations=("lea@dst.example",),
        is_policy=is_policy,
        reply=POLICY if is_policy else reply,
        level="user",
        context=WATCHED,
    )


def test_one_refusal_by_policy_is_enough_and_quotes_the_reply() -> None:
    (finding,) = tell(ForwardingBlocked(), [refused(MONDAY_MS, is_policy=True)])
    assert (finding.severity, finding.confidence) == ("medium", "high")
    assert POLICY in finding.summary
    assert finding.counts == {"refused_by_policy": 1, "refused_otherwise": 0}


def test_other_refusals_are_told_from_the_third_on_and_low() -> None:
    findings = tell(ForwardingBlocked(), [refused(MONDAY_MS + hour * HOUR_MS) for hour in range(6)])
    assert [finding.counts["refused_otherwise"] for finding in findings] == [3, 6]
    assert {(finding.severity, finding.confidence) for finding in findings} == {("low", "low")}


def test_a_week_of_quiet_begins_anew() -> None:
    assert tell(ForwardingBlocked(), [refused(MONDAY_MS + week * 8 * DAY_MS) for week in range(6)]) == []


def test_what_turns_out_to_be_policy_is_told_at_once() -> None:
    events = [refused(MONDAY_MS + hour * HOUR_MS) for hour in range(4)]
    findings = tell(ForwardingBlocked(), [*events, refused(MONDAY_MS + 5 * HOUR_MS, is_policy=True)])
    assert [finding.severity for finding in findings] == ["low", "medium"]
    assert len({finding.id for finding in findings}) == 1


def test_a_hostile_reply_stays_one_line() -> None:
    (finding,) = tell(ForwardingBlocked({"min_refusals": 1}), [refused(MONDAY_MS, reply="550 no\r\nX: \x1b[2J" * 99)])
    assert finding.summary.isprintable()
    assert len(finding.summary) < 600
