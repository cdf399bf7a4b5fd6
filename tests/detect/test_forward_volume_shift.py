"""``forward_volume_shift``: a day beside the mailbox's own days, and days that were not seen beside none."""

from math import log
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detect.base import DAY_MS, HOUR_MS
from sensor.detect.events import Context, ForwardSeen
from sensor.detect.forward_volume_shift import MAX_DAYS, Baseline, ForwardVolumeShift
from sensor.model import Finding
from tests.detect.forwards import MONDAY_MS, forward, tell

MEGABYTE = 1_000_000

BUSY = Context(
    received_24h=50,
    received_7d=300,
    clear_share=1.0,
    sensor_since_ms=MONDAY_MS - 90 * DAY_MS,
    mailbox_since_ms=MONDAY_MS,
)
"""A mailbox first seen on day 0 that had mail all along: days without a forward are known to be such."""

SILENT = Context(received_24h=50, received_7d=50, clear_share=1.0, sensor_since_ms=BUSY.sensor_since_ms)
"""A mailbox of which nothing was seen in the six days before."""


def found(events: list[ForwardSeen], **options: float) -> list[Finding]:
    return tell(ForwardVolumeShift(options), events)


def day(number: int, forwards: int, **changes: Any) -> list[ForwardSeen]:
    """*forwards* spread over the day *number* days after a Monday."""
    start_ms = MONDAY_MS + number * DAY_MS
    facts: dict[str, Any] = {"context": BUSY} | changes
    return [forward(start_ms + i * (DAY_MS // max(1, forwards)), **facts) for i in range(forwards)]


def days(*forwards: int, **changes: Any) -> list[ForwardSeen]:
    return [event for number, each in enumerate(forwards) for event in day(number, each, **changes)]


WEEKS = (5, 4, 6, 5, 5, 1, 0, 5, 6, 4, 5, 4, 0, 1)
"""Two weeks of five forwards a working day."""


@pytest.mark.parametrize(
    ("counts", "is_told"),
    [
        ((*WEEKS, 60), True),
        ((*WEEKS, 19), False),
        ((*WEEKS, 12), False),
        ((*WEEKS[:4], 60), False),
        ((40, 60, 50, 45, 30, 2, 0, 55, 35, 60, 50, 42, 0, 0, 110), False),
        ((40, 60, 50, 45, 30, 2, 0, 55, 35, 60, 50, 42, 0, 0, 700), True),
        ((5, 5, 100, 5, 5, 0, 0, 5, 5, 5, 5, 5, 5, 0, 90), False),
        ((30,) * 30, False),
        (tuple(range(1, 41)), False),
    ],
    ids=[
        "twelve times the usual",
        "below the least volume",
        "twice the usual",
        "no past to speak of",
        "a busy forwarder's busy day",
        "ten times a busy forwarder's best day",
        "as large a day was there before",
        "steady",
        "a slow rise",
    ],
)
def test_a_day_is_held_against_the_days_before(counts: tuple[int, ...], *, is_told: bool) -> None:
    assert bool(found(days(*counts))) is is_told


def test_it_is_told_while_the_day_goes_on_and_once_for_a_new_level() -> None:
    findings = found(days(*WEEKS, 100, 100, 100, 100))
    assert [finding.counts["forwards_today"] for finding in findings][1:] == [2 * findings[0].counts["forwards_today"]]
    assert findings[0].counts["forwards_today"] < 50
    assert len({finding.id for finding in findings}) == 1


def test_a_shift_weeks_later_is_another_one() -> None:
    findings = found(days(*WEEKS, 60, *WEEKS[1:], 250))
    assert len({finding.id for finding in findings}) == 2


def test_weekends_are_held_against_weekends_once_enough_are_known() -> None:
    month = (30, 30, 30, 30, 30, 1, 0) * 4
    assert found(days(*month, 30, 30, 30, 30, 30, 40))
    assert not found(days(*month, 30, 30, 30, 30, 40))


def test_days_not_seen_are_no_zero_days() -> None:
    """Four days of forty, then nothing was seen of the mailbox for ten, then forty again: no shift, and no past."""
    gap = [*days(*[40] * 7, context=BUSY), *day(17, 85, context=SILENT)]
    assert not found(gap)
    unseen = [*day(0, 1, context=SILENT), *day(8, 1, context=SILENT), *day(16, 60, context=SILENT)]
    assert not found(unseen)


def test_quiet_days_of_a_mailbox_that_had_mail_are_zero_days() -> None:
    """One forward a week, and mail on the days between: then fifty in a day are a shift."""
    quiet = [*day(0, 1), *day(7, 1), *day(14, 60)]
    finding = found(quiet)[0]
    assert finding.counts["days_known"] >= 6
    assert finding.baseline is not None
    assert finding.baseline.high < 10


def test_a_first_day_is_held_against_the_week_before_it() -> None:
    """A mailbox long known that never forwarded, and then hands on sixty mails in a day."""
    old = Context(received_24h=50, received_7d=300, mailbox_since_ms=MONDAY_MS - 30 * DAY_MS, sensor_since_ms=0)
    assert found(day(0, 60, context=old))
    new = Context(received_24h=50, received_7d=300, mailbox_since_ms=MONDAY_MS - 2 * DAY_MS, sensor_since_ms=0)
    assert not found(day(0, 60, context=new))
    assert not found(day(0, 60, context=SILENT))


def test_hidden_days_are_unknown_and_partly_hidden_ones_are_scaled() -> None:
    def seen(share: float) -> Context:
        return Context(received_24h=50, received_7d=50, clear_share=share, sensor_since_ms=0)

    assert found([*days(*[10] * 9, context=seen(1.0)), *day(9, 120, context=seen(1.0))])
    assert not found([*days(*[10] * 9, context=seen(0.2)), *day(9, 120, context=seen(1.0))])
    assert not found([*days(*[10] * 9, context=seen(0.5)), *day(9, 120, context=seen(1.0))])


def test_the_day_on_which_the_sensor_began_is_no_whole_day() -> None:
    began = Context(received_24h=9, received_7d=9, sensor_since_ms=MONDAY_MS + 23 * HOUR_MS)
    assert not found(days(*[10] * 6, 200, context=began))
    assert found(days(*[10] * 7, 200, context=began))


@pytest.mark.parametrize(
    ("octets", "is_told"), [(1 * MEGABYTE, False), (20 * MEGABYTE, False), (150 * MEGABYTE, True), (None, False)]
)
def test_octets_are_held_against_the_largest_day(octets: int | None, *, is_told: bool) -> None:
    events = [*days(*WEEKS, octets=MEGABYTE), *day(14, 1, octets=octets)]
    findings = found(events)
    assert bool(findings) is is_told
    if findings:
        [finding] = findings
        assert "150 MB" in finding.summary
        assert finding.observed is not None
        assert finding.baseline is not None
        assert finding.observed.unit == finding.baseline.unit == "octets"


def test_octets_that_vary_widely_need_more() -> None:
    """One day of 60 MB in the past, and 150 MB are no shift."""
    assert not found(
        [
            *days(*WEEKS, octets=MEGABYTE),
            *day(11, 2, octets=30 * MEGABYTE, to="y@dst.example"),
            *day(14, 1, octets=150 * MEGABYTE),
        ]
    )


def test_late_forwards_go_to_their_own_day() -> None:
    detector, state = ForwardVolumeShift(), None
    for event in [*day(3, 2), *day(2, 1)]:
        state = detector.step(state, event).state
    assert state is not None
    day_of = MONDAY_MS // DAY_MS
    assert (state.days[day_of + 2].count, state.days[day_of + 3].count) == (1, 2)


def test_a_finding_says_observed_and_expected() -> None:
    finding = found(days(*WEEKS, 100))[-1]
    assert finding.observed is not None
    assert finding.baseline is not None
    assert finding.observed.unit == finding.baseline.unit == "mails"
    assert finding.baseline.low <= finding.baseline.value <= finding.baseline.high < 20
    assert finding.observed.low < finding.observed.value < finding.observed.high
    assert finding.first_seen_ms == MONDAY_MS + 14 * DAY_MS
    assert finding.confidence == "medium"
    assert "10 days" in finding.confidence_reason


@pytest.mark.parametrize(("mean", "spread", "most"), [(0.5, 1.0, 0), (6.0, 0.7, 0), (6.0, 1.0, 3), (25.0, 0.7, 0)])
def test_days_of_a_heavy_tailed_forwarder_make_hardly_an_alarm(mean: float, spread: float, most: int) -> None:
    """2,000 days with forwards of each kind, log-normal around a weekly rhythm: tails that no negative binomial has."""
    random = Random(11)  # noqa: S311 - repeatable
    detector, told = ForwardVolumeShift(), set()
    for mailbox in range(40):
        state, level = None, mean * random.lognormvariate(0, 0.5)
        for number in range(50):
            rhythm = 0.1 if number % 7 >= 5 else 1.0
            count = int(random.lognormvariate(log(level * rhythm), spread) + random.random())
            for event in day(number, count, mailbox=f"m{mailbox}@corp.example"):
                out = detector.step(state, event)
                state = out.state
                told |= {finding.id for finding in out.findings}
    assert len(told) <= most


def test_dispersion_is_that_of_the_days_and_of_what_is_usual() -> None:
    even = Baseline(counts=(5.0,) * 20, octets=())
    wild = Baseline(counts=(0.0, 0.0, 40.0, 0.0, 60.0, 0.0), octets=())
    assert 1 < even.dispersion < 3
    assert Baseline(counts=(0.0,) * 6, octets=()).dispersion == 1
    assert wild.dispersion > 20
    assert even.chance_of(30) < 1e-6 < wild.chance_of(30)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**53), 2**53) | st.integers(0, 60),
            st.integers(0, 30),
            st.none() | st.integers(-10, 2**63 - 1),
            st.none() | st.floats(0, 1),
            st.integers(-5, 400),
        ),
        max_size=30,
    )
)
def test_any_days_keep_within_bounds(steps: list[tuple[int, int, int | None, float | None, int]]) -> None:
    detector, state = ForwardVolumeShift({"least": 5, "days": 3, "chance": 0.01, "times": 1}), None
    for i, (number, forwards, octets, share, received) in enumerate(steps):
        context = Context(received_24h=5, received_7d=received, clear_share=share, sensor_since_ms=MONDAY_MS)
        for n in range(forwards):
            at_ms = MONDAY_MS + number * DAY_MS if abs(number) < 100 else number
            event = forward(at_ms, octets=octets, context=context, transaction_id=f"t{i}.{n}")
            state = detector.step(state, event).state
            assert state is not None
            assert len(state.days) <= MAX_DAYS
    if state is not None:
        assert detector.decode(detector.encode(state)) == state


def test_the_destinations_that_make_the_day_are_named_and_everyday_ones_are_not() -> None:
    usual = {"destinations": ("usual@dst.example",), "outside": ("usual@dst.example",)}
    drop = {"destinations": ("drop@new.example",), "outside": ("drop@new.example",)}
    events = [*days(*WEEKS, **usual), *day(14, 5, **usual), *day(14, 120, **drop)]
    finding = found(sorted(events, key=lambda event: event.at_ms))[-1]
    assert finding.destinations == ("drop@new.example",)
