"""Time lines: bounded, whole, and the same whatever the order."""

from hypothesis import given
from hypothesis import strategies as st

from sensor.ledger.timeline import FIRST_WIDTH_MS, MAX_BUCKETS, Bucket, Timeline

FORWARDS = st.lists(st.tuples(st.integers(-(10**14), 10**14), st.integers(0, 3)), max_size=150)


def timeline(forwards: list[tuple[int, int]]) -> Timeline:
    line = Timeline()
    for at_ms, cell in forwards:
        line.add(at_ms, cell)
    return line


@given(FORWARDS)
def test_every_forward_is_in_the_bucket_that_holds_its_time(forwards: list[tuple[int, int]]) -> None:
    line = timeline(forwards)
    expected: dict[int, list[int]] = {}
    for at_ms, cell in forwards:
        expected.setdefault(at_ms - at_ms % line.width_ms, [0, 0, 0, 0])[cell] += 1
    assert list(line) == [Bucket(start, *cells) for start, cells in sorted(expected.items())]
    assert len(line) <= MAX_BUCKETS


@given(FORWARDS)
def test_the_order_does_not_matter(forwards: list[tuple[int, int]]) -> None:
    assert list(timeline(forwards)) == list(timeline(sorted(forwards)))


def test_the_width_doubles_only_when_there_are_too_many_buckets() -> None:
    line = timeline([(number * FIRST_WIDTH_MS, 0) for number in range(MAX_BUCKETS)])
    assert line.width_ms == FIRST_WIDTH_MS
    line.add(MAX_BUCKETS * FIRST_WIDTH_MS, 0)
    assert (line.width_ms, len(line)) == (2 * FIRST_WIDTH_MS, MAX_BUCKETS // 2 + 1)


def test_what_is_taken_back_is_gone() -> None:
    line = timeline([(5, 3), (6, 3)])
    line.add(5, 3, -1)
    assert list(line) == [Bucket(0, 0, 0, 0, 1)]
