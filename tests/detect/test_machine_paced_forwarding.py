"""``machine_paced_forwarding``: hands need time and rest, programs need neither."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detect.base import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from sensor.detect.events import Context, ForwardSeen
from sensor.detect.machine_paced_forwarding import MAX_ADDRESSES, MachinePacedForwarding, longest_rest_h
from sensor.model import Finding
from tests.detect.forwards import MONDAY_MS, forward, tell


def found(events: list[ForwardSeen], **options: float) -> list[Finding]:
    return tell(MachinePacedForwarding(options), events)


def by_hand(at_ms: int, delay_s: float | None, **changes: Any) -> ForwardSeen:
    """A forward that looks made by hand, *delay_s* after its original; none: the original was not seen."""
    facts: dict[str, Any] = {
        "cell": "visible_only",
        "evidence": "strong",
        "original_id": None if delay_s is None else f"o{at_ms}",
        "original_at_ms": None if delay_s is None else at_ms - int(delay_s * SECOND_MS),
    }
    return forward(at_ms, **(facts | changes))


def paced(*delays_s: float | None, step_ms: int = 3 * HOUR_MS, **changes: Any) -> list[ForwardSeen]:
    return [by_hand(MONDAY_MS + i * step_ms, delay_s, **changes) for i, delay_s in enumerate(delays_s)]


def office_hours(number: int, delays_s: list[float]) -> list[ForwardSeen]:
    """Forwards between 8 and 18 o'clock, five a day."""
    times = [MONDAY_MS + i // 5 * DAY_MS + (8 + 2 * (i % 5)) * HOUR_MS for i in range(number)]
    return [by_hand(at_ms, delays_s[i % len(delays_s)]) for i, at_ms in enumerate(times)]


@pytest.mark.parametrize(
    ("events", "is_told"),
    [
        (paced(*[3] * 5), False),
        (paced(*[3] * 6), True),
        (paced(*[15] * 6), True),
        (paced(*[16] * 6), False),
        (paced(*[3] * 6, *[300] * 2), True),
        (paced(*[300] * 4, *[3] * 6), False),
        (paced(*[None] * 40), False),
        (paced(*[None] * 40, *[3] * 6), True),
        (paced(*[3] * 20, cell="auto_only"), False),
        (paced(*[3] * 20, outside=()), False),
        (paced(*[3] * 20, step_ms=5 * DAY_MS), False),
        (paced(*[-1] * 6), True),
        (paced(*[-60] * 6), False),
    ],
    ids=[
        "five",
        "six",
        "at the limit",
        "beyond the limit",
        "then slow",
        "mostly slow first",
        "no original seen",
        "some originals seen",
        "marked by a rule",
        "to inside",
        "one in five days",
        "a clock one second off",
        "before its original",
    ],
)
def test_fast_forwards(events: list[ForwardSeen], *, is_told: bool) -> None:
    assert bool(found(events)) is is_told


@pytest.mark.parametrize(
    ("events", "is_told"),
    [
        (paced(*[200] * 24), True),
        (paced(*[200] * 19), False),
        (paced(*[900] * 60), False),
        (paced(*[200] * 24, *[7_200] * 12), True),
        (paced(*[200, 7_200] * 30), False),
        (office_hours(45, [200]), False),
        (office_hours(45, [40]), False),
    ],
    ids=[
        "polls at all hours",
        "too few",
        "slower than polling",
        "slow ones came after it crossed",
        "half slow",
        "office hours only",
        "an assistant who waits for mail",
    ],
)
def test_forwards_that_never_rest(events: list[ForwardSeen], *, is_told: bool) -> None:
    assert bool(found(events)) is is_told


def bursts(*sizes: int, gap_s: float = 1, step_ms: int = DAY_MS) -> list[ForwardSeen]:
    """A burst a day, its forwards *gap_s* apart, all of mail that came hours before."""
    return [
        by_hand(MONDAY_MS + day * step_ms + int(number * gap_s * SECOND_MS), 9_000 + number)
        for day, size in enumerate(sizes)
        for number in range(size)
    ]


@pytest.mark.parametrize(
    ("events", "is_told"),
    [
        (bursts(3, 3), True),
        (bursts(3, 2), False),
        (bursts(40), False),
        (bursts(3, 3, gap_s=2), True),
        (bursts(10, 10, gap_s=3), False),
        (bursts(3, 3, step_ms=15 * DAY_MS), False),
        (bursts(1, 1, 1, 1, 1, 1), False),
    ],
    ids=["two days", "too few", "one day", "at the limit", "beyond the limit", "weeks apart", "one each morning"],
)
def test_forwards_in_bursts(events: list[ForwardSeen], *, is_told: bool) -> None:
    assert bool(found(events)) is is_told


@pytest.mark.parametrize(
    ("forwards", "received", "is_told"),
    [(60, 62, True), (29, 29, False), (60, 90, False), (60, 0, False), (80, 60, True)],
    ids=["nearly all", "too few", "two of three", "nothing seen", "of mail inside as well"],
)
def test_forwards_of_all_that_is_received(forwards: int, received: int, *, is_told: bool) -> None:
    """Slow ones, so that pace says nothing."""
    context = Context(received_7d=received, clear_share=1.0, sensor_since_ms=0)
    assert bool(found(paced(*[5_000] * forwards, step_ms=HOUR_MS, context=context))) is is_told


@pytest.mark.parametrize(
    ("hours", "rest"),
    [([], 24), ([5], 23), ([0, 12], 11), (list(range(8, 18)), 14), ([0, 23], 22), (list(range(24)), 0), ([1, 22], 20)],
)
def test_rest_goes_across_midnight(hours: list[int], rest: int) -> None:
    assert longest_rest_h(sum(1 << hour for hour in hours)) == rest


def test_a_keyword_rule_is_told_as_well_as_a_complete_one() -> None:
    """Pace is that of what was forwarded, however little of the received mail that is."""
    few = Context(received_7d=2_000, clear_share=1.0, sensor_since_ms=0)
    assert found(paced(*[3] * 6, context=few))


def test_pace_is_that_of_one_address() -> None:
    """The slow forwards of a person to colleagues elsewhere do not hide the rule."""
    events = [
        each
        for i in range(30)
        for each in (
            by_hand(MONDAY_MS + i * HOUR_MS, 4, to="drop@dst.example"),
            by_hand(MONDAY_MS + i * HOUR_MS + MINUTE_MS, 4_000, to=f"friend{i % 4}@dst.example"),
        )
    ]
    finding = found(events)[0]
    assert finding.destinations[0] == "drop@dst.example"
    assert "drop@dst.example" in finding.summary


def test_a_finding_says_what_it_rests_on() -> None:
    finding = found(paced(*[3] * 12, None, None))[-1]
    assert finding.observed is not None
    assert finding.observed.value == 1
    assert (finding.level, finding.severity) == ("user", "high")
    assert finding.counts["fast_14d"] == finding.counts["known_14d"] == 12
    assert "median 3 s" in finding.summary


@pytest.mark.parametrize(
    ("events", "confidence", "words"),
    [
        (office_hours(6, [3]), "medium", "longest rest"),
        (paced(*[3] * 48, step_ms=HOUR_MS), "high", "at all hours"),
        (office_hours(24, [3]), "medium", "longest rest"),
        (paced(*[None] * 20, *[3] * 6, step_ms=MINUTE_MS), "low", "was not seen"),
    ],
)
def test_confidence_follows_the_signs_that_agree(events: list[ForwardSeen], confidence: str, words: str) -> None:
    finding = found(events)[-1]
    assert finding.confidence == confidence
    assert words in finding.confidence_reason


@pytest.mark.parametrize(("others", "confidence"), [(0, "high"), (1, "medium")])
def test_forwards_from_a_mailbox_that_sends_nothing_else_are_a_sign(others: int, confidence: str) -> None:
    """Five forwards a day; ``sent_24h`` holds what was sent before: the forwards of 24 hours, and *others*."""
    events = [
        by_hand(each.at_ms, 3, context=Context(received_7d=90, sent_24h=min(i, 5) + others, clear_share=1.0))
        for i, each in enumerate(office_hours(24, [3]))
    ]
    finding = found(events)[-1]
    assert finding.confidence == confidence
    assert ("sent nothing else" in finding.confidence_reason) is (others == 0)


def test_people_are_seldom_told_of() -> None:
    """
    1,000 people for 14 days: each forwards two mails a working day to a colleague, 20 % of them have an assistant's
    pace. None is told of, which is below 1 in 10,000 mailbox-days at 95 %.
    """
    random = Random(3)  # noqa: S311 - repeatable
    detector, told = MachinePacedForwarding(), 0
    for person in range(1_000):
        pace = 3.7 if random.random() < 0.2 else 6.5  # medians of 40 s and 11 minutes
        state, is_told = None, False
        for day in (day for day in range(14) if day % 7 < 5):
            for at_ms in sorted(MONDAY_MS + day * DAY_MS + random.randrange(8, 18) * HOUR_MS for _ in range(2)):
                event = by_hand(at_ms + person, 8 + random.lognormvariate(pace, 0.8), mailbox=f"m{person}@corp.example")
                out = detector.step(state, event)
                state, is_told = out.state, is_told or bool(out.findings)
        told += is_told
    assert told == 0


@given(
    st.lists(
        st.tuples(st.integers(-(2**53), 2**53) | st.integers(0, 30 * DAY_MS), st.none() | st.integers(-(2**60), 2**60)),
        max_size=60,
    ),
    st.integers(1, 40),
)
def test_any_times_and_many_addresses_keep_within_bounds(steps: list[tuple[int, int | None]], width: int) -> None:
    detector, state = MachinePacedForwarding(), None
    for i, (offset_ms, original_at_ms) in enumerate(steps):
        outside = tuple(f"x{i * 7 + n}@dst.example" for n in range(width))
        event = by_hand(offset_ms, None, outside=outside, original_at_ms=original_at_ms, transaction_id=f"t{i}")
        state = detector.step(state, event).state
        assert state is not None
        assert len(state.to) <= MAX_ADDRESSES
    if state is not None:
        assert detector.decode(detector.encode(state)) == state
