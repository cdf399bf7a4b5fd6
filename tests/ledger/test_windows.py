"""Counts over sliding windows, against a model that keeps every mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.ledger.windows import (
    DAY,
    HOUR,
    LATENESS_MS,
    MAX_SLOTS,
    SLOT_MS,
    WEEK,
    WINDOWS,
    Count,
    Window,
    WindowedCount,
    mark_of,
    slot_of,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW = 1_700_000_000_000

Mail = tuple[int, int]
# Bursts, quiet weeks, times that go back by minutes and by days: offsets in milliseconds, and octets.
TIMES = st.one_of(
    st.integers(0, 2 * HOUR_MS), st.integers(0, 2 * DAY_MS), st.integers(0, 20 * DAY_MS), st.integers(-DAY_MS, DAY_MS)
)
MAILS = st.lists(st.tuples(TIMES.map(lambda offset: NOW + offset), st.integers(0, 1 << 40)), min_size=1, max_size=200)


def counted(mails: list[Mail]) -> WindowedCount:
    (first, octets), *others = mails
    count = WindowedCount.starting(mark_of(first), octets)
    for at_ms, octets in others:
        count.put(mark_of(at_ms), octets)
    return count


def dumb(mails: list[Mail], window: Window, at_ms: int) -> Count:
    """What the module's first lines say of a window, of every mail anew."""
    step_ms = window.slots * SLOT_MS
    begin = (at_ms // step_ms - window.steps + 1) * step_ms
    end = (at_ms // SLOT_MS + 1) * SLOT_MS
    inside = [octets for each, octets in mails if begin <= each < end]
    return Count(len(inside), sum(inside))


@given(MAILS, st.integers(-LATENESS_MS, 9 * DAY_MS))
def test_windows_and_total_are_those_of_every_mail_kept_whatever_the_order(mails: list[Mail], ahead_ms: int) -> None:
    count, newest = counted(mails), max(at_ms for at_ms, _ in mails)
    for window in WINDOWS:
        assert count.within(window, newest + ahead_ms) == dumb(mails, window, newest + ahead_ms)
    assert count.total == Count(len(mails), sum(octets for _, octets in mails))
    assert (len(count) - 4) // 2 <= MAX_SLOTS


@given(MAILS)
def test_what_is_taken_back_was_never_counted(mails: list[Mail]) -> None:
    newest = max(at_ms for at_ms, _ in mails)
    count = counted(mails)
    gone, kept = mails[::3], [mail for number, mail in enumerate(mails) if number % 3]
    for at_ms, octets in gone:
        count.take_back(mark_of(at_ms), octets)
    for window in WINDOWS:
        assert count.within(window, newest) == dumb(kept, window, newest)
    assert count.total == Count(len(kept), sum(octets for _, octets in kept))


@given(MAILS, MAILS)
def test_a_count_read_back_counts_on_as_if_nothing_had_happened(mails: list[Mail], later: list[Mail]) -> None:
    written = counted(mails).to_octets()
    read = WindowedCount.from_octets(written)
    assert read.to_octets() == written
    for at_ms, octets in later:
        read.put(mark_of(at_ms), octets)
    newest = max(at_ms for at_ms, _ in [*mails, *later])
    for window in WINDOWS:
        assert read.within(window, newest) == dumb([*mails, *later], window, newest)


def test_a_window_is_never_longer_than_its_name_and_at_most_a_step_shorter() -> None:
    for window, long_ms in ((HOUR, HOUR_MS), (DAY, DAY_MS), (WEEK, 7 * DAY_MS)):
        for at_ms in range(NOW, NOW + 13 * HOUR_MS, 7 * 60_000):
            begin = window.first_slot(slot_of(at_ms)) * SLOT_MS
            assert long_ms - window.slots * SLOT_MS < at_ms - begin < long_ms


@pytest.mark.parametrize("gap_ms", [1_000, SLOT_MS, HOUR_MS, 7 * HOUR_MS, 3 * DAY_MS])
def test_slots_are_bounded_at_any_pace(gap_ms: int) -> None:
    mails = [(NOW + number * gap_ms, 1) for number in range(3_000)]
    count = counted(mails)
    assert (len(count) - 4) // 2 <= MAX_SLOTS
    assert count.within(WEEK, mails[-1][0]) == dumb(mails, WEEK, mails[-1][0])
    assert count.total == Count(3_000, 3_000)


def test_mail_that_the_longest_window_has_passed_by_counts_only_in_all() -> None:
    count = counted([(NOW, 10), (NOW - 30 * DAY_MS, 5)])
    assert (count.total, count.within(WEEK, NOW)) == (Count(2, 15), Count(1, 10))
    count = counted([(NOW - 6 * DAY_MS + number * HOUR_MS, 1) for number in range(6 * 24)] + [(NOW - 8 * DAY_MS, 5)])
    assert (count.total.mails, count.within(WEEK, NOW).mails) == (145, 144)


@given(st.integers(), st.integers())
def test_absurd_times_are_held_to_the_ends_of_time(first: int, second: int) -> None:
    count = counted([(first, 1), (second, 1)])
    assert count.total == Count(2, 2)
    assert count.within(WEEK, max(first, second)).mails >= 1


@given(st.binary(max_size=200))
def test_any_octets_are_a_count_or_a_value_error(octets: bytes) -> None:
    try:
        count = WindowedCount.from_octets(octets)
    except ValueError:
        return
    count.put(mark_of(NOW), 5)
    assert count.total.mails >= 1


@given(MAILS, st.integers(0, 1 << 16), st.integers(0, 255))
def test_a_damaged_count_is_refused_or_counts_on(mails: list[Mail], at: int, octet: int) -> None:
    octets = bytearray(counted(mails).to_octets())
    octets[at % len(octets)] = octet
    try:
        count = WindowedCount.from_octets(bytes(octets))
    except ValueError:
        return
    for number in range(200):
        count.put(mark_of(NOW + number * HOUR_MS), 5)
    assert (len(count) - 4) // 2 <= MAX_SLOTS


def test_counts_add_up() -> None:
    assert Count(1, 2) + Count(3, 4) == Count(4, 6)
