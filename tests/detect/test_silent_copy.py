"""``silent_copy``: single pairs say little, several originals to one address say much."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detect.base import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from sensor.detect.events import Context, ForwardSeen
from sensor.detect.silent_copy import MAX_COPIED_TO, SilentCopy
from sensor.model import Finding
from tests.detect.forwards import MONDAY_MS, forward, tell


def found(events: list[ForwardSeen], **options: float) -> list[Finding]:
    return tell(SilentCopy(options), events)


def copy(at_ms: int, *, delay_ms: int | None = 2 * SECOND_MS, **changes: Any) -> ForwardSeen:
    """A mail to ann that left again *delay_ms* after it came; its original has an id of its own."""
    facts: dict[str, Any] = {
        "cell": "paired",
        "level": "unknown",
        "evidence": "strong",
        "original_id": f"o{at_ms}",
        "original_at_ms": None if delay_ms is None else at_ms - delay_ms,
    }
    return forward(at_ms, **(facts | changes))


def copies(number: int, step_ms: int = HOUR_MS, **changes: Any) -> list[ForwardSeen]:
    return [copy(MONDAY_MS + i * step_ms, **changes) for i in range(number)]


@pytest.mark.parametrize(
    ("events", "is_told"),
    [
        (copies(2), False),
        (copies(3), True),
        (copies(3, step_ms=9 * DAY_MS), True),
        (copies(30, step_ms=15 * DAY_MS), False),
        (copies(5, delay_ms=HOUR_MS), False),
        (copies(6, delay_ms=HOUR_MS), True),
        (copies(5, evidence="weak"), False),
        (copies(6, evidence="weak"), True),
        (copies(5, delay_ms=None), False),
        (copies(2) + copies(1, delay_ms=HOUR_MS, transaction_id="later", original_id="late"), False),
        (copies(20, outside=(), destinations=("bob@corp.example",)), False),
        (copies(20, cell="auto_only"), False),
    ],
    ids=[
        "two",
        "three",
        "three in three weeks",
        "one a fortnight",
        "five at leisure",
        "six at leisure",
        "five weak",
        "six weak",
        "five of unknown pace",
        "two and a half",
        "to inside",
        "marked",
    ],
)
def test_what_copies_weigh(events: list[ForwardSeen], *, is_told: bool) -> None:
    assert bool(found(events)) is is_told


def test_each_original_counts_once_for_an_address() -> None:
    """A gateway that shows the copy again, with another transaction, adds nothing."""
    hops = [copy(MONDAY_MS + i, original_id="same", transaction_id=f"t{i}") for i in range(20)]
    assert found(hops) == []


def test_copies_to_many_addresses_do_not_add_up() -> None:
    """Bccs and mails re-sent by hand go to different people."""
    assert found([copy(MONDAY_MS + i * HOUR_MS, to=f"x{i}@dst.example") for i in range(200)]) == []


def test_a_further_address_that_crosses_is_told_at_once() -> None:
    first = [copy(MONDAY_MS + i * MINUTE_MS, to="x@dst.example") for i in range(20)]
    second = [copy(MONDAY_MS + HOUR_MS + i * MINUTE_MS, to="y@dst.example") for i in range(3)]
    findings = found(first + second)
    assert len({finding.id for finding in findings}) == 1
    assert findings[-1].counts["addresses"] == 2
    assert findings[-1].destinations == ("x@dst.example", "y@dst.example")
    assert findings[-2].counts["addresses"] == 1


def test_a_finding_says_what_it_rests_on() -> None:
    context = Context(received_7d=40, clear_share=1.0, sensor_since_ms=0)
    finding = found(copies(12, context=context))[-1]
    assert finding.counts == {
        "copies": 12,
        "originals_28d": 12,
        "prompt_28d": 12,
        "copies_7d": 12,
        "received_7d": 40,
        "addresses": 1,
    }
    assert finding.observed is not None
    assert finding.observed.what == "received mail copied, 7 days"
    assert (finding.level, finding.severity) == ("unknown", "medium")
    assert "No mark tells" in finding.level_reason
    assert any("alias" in each for each in finding.assumptions)


@pytest.mark.parametrize(("received", "severity"), [(12, "high"), (400, "medium"), (0, "medium")])
def test_a_copy_of_most_mail_is_worse_than_one_of_some(received: int, severity: str) -> None:
    assert found(copies(12, context=Context(received_7d=received)))[-1].severity == severity


@pytest.mark.parametrize(
    ("events", "confidence"),
    [(copies(3), "medium"), (copies(24), "high"), (copies(6, delay_ms=HOUR_MS), "low")],
)
def test_confidence_follows_number_and_pace(events: list[ForwardSeen], confidence: str) -> None:
    assert found(events)[-1].confidence == confidence


def test_a_new_episode_begins_after_four_weeks() -> None:
    later = [copy(MONDAY_MS + 60 * DAY_MS + i * HOUR_MS) for i in range(3)]
    assert len({finding.id for finding in found(copies(3) + later)}) == 2


def test_single_pairs_by_chance_are_seldom_told_of() -> None:
    """
    1,000 mailboxes for 28 days, each with a copy by hand or bcc every ten days to one of eight people: at most 3 are
    told of, a tenth of an alarm per 1,000 mailbox-days.
    """
    random = Random(8)  # noqa: S311 - repeatable
    detector, told = SilentCopy(), 0
    for mailbox in range(1_000):
        state, is_told = None, False
        for day in range(28):
            if random.random() < 0.1:
                delay_ms = int(random.lognormvariate(7.5, 1.5) * SECOND_MS)
                to = f"friend{random.randrange(8)}@dst.example"
                at_ms = MONDAY_MS + day * DAY_MS
                out = detector.step(state, copy(at_ms, delay_ms=delay_ms, to=to, mailbox=f"m{mailbox}@corp.example"))
                state, is_told = out.state, is_told or bool(out.findings)
        told += is_told
    assert told <= 3


@given(st.lists(st.tuples(st.integers(0, 60 * DAY_MS), st.integers(0, 40), st.integers(0, DAY_MS)), max_size=60))
def test_followed_addresses_are_bounded(steps: list[tuple[int, int, int]]) -> None:
    detector, state = SilentCopy(), None
    for i, (offset_ms, to, delay_ms) in enumerate(steps):
        event = copy(MONDAY_MS + offset_ms, to=f"x{to}@dst.example", delay_ms=delay_ms, transaction_id=f"t{i}")
        state = detector.step(state, event).state
        assert state is not None
        assert len(state.to) <= MAX_COPIED_TO
    if state is not None:
        assert detector.decode(detector.encode(state)) == state
