"""Sliding counts: what is in the window, what left it, and bounds."""

from hypothesis import given
from hypothesis import strategies as st

from sensor.detect.windows import MOST, Counts, Window, add

WINDOW = Window(slot_ms=10, slots=3, cells=1)


def count(window: Window, counts: Counts, at_ms: int) -> None:
    cells = window.slot(counts, at_ms)
    if cells is not None:
        add(cells, 0)


def test_what_is_older_than_the_window_leaves_it() -> None:
    counts: Counts = {}
    for at_ms in (5, 15, 29):
        count(WINDOW, counts, at_ms)
    assert WINDOW.total(counts, 29) == [3]
    assert WINDOW.expire(counts, 30) == [[1]]
    assert WINDOW.total(counts, 30) == [2]
    assert WINDOW.total(counts, 1_000) == [0]


def test_what_comes_too_late_is_not_counted_and_takes_nothing_away() -> None:
    counts: Counts = {}
    count(WINDOW, counts, 100)
    assert WINDOW.slot(counts, 79) is None
    assert WINDOW.slot(counts, 80) is not None
    assert WINDOW.total(counts, 0) == [1]


def test_a_cell_stops_growing_and_never_shrinks() -> None:
    cells = [0]
    add(cells, 0, 1 << 70)
    assert cells == [MOST]
    add(cells, 0, -5)
    assert cells == [MOST]


@given(st.lists(st.integers(-(2**53), 2**53) | st.integers(-100, 100)))
def test_the_window_is_what_a_list_of_all_events_gives(times: list[int]) -> None:
    """An event counts if its slot was within the window of the latest one when it came, and as long as it is."""
    counts: Counts = {}
    kept: list[int] = []
    latest = None
    for at_ms in times:
        count(WINDOW, counts, at_ms)
        latest = at_ms // 10 if latest is None else max(latest, at_ms // 10)
        kept = [slot for slot in [*kept, at_ms // 10] if slot > latest - 3]
        assert WINDOW.total(counts, at_ms) == [len(kept)]
        assert len(counts) <= 3
