"""A header section held back: the tag above it, strangers' tags out of it, nothing else touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.taps.relay.tagging import HELD_OCTETS, HeaderHold

TAG = b"X-Tag: auto\r\n"

# What comes, and what is let out behind the tag.
CASES = [
    (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"A: 1\r\nB: 2\r\n\r\nbody\r\n", 0),
    (b"X-Tag: forged\r\nA: 1\r\n\r\n", b"A: 1\r\n\r\n", 1),
    (b"A: 1\r\nx-TAG \t: forged\r\n and folded\r\n\t twice\r\nB: 2\r\n\r\n", b"A: 1\r\nB: 2\r\n\r\n", 1),
    (b"X-Tag: a\nX-Tag: b\nC: 3\n\nX-Tag: body\n", b"C: 3\n\nX-Tag: body\n", 2),
    (b"X-Tagged: other\r\n\r\n", b"X-Tagged: other\r\n\r\n", 0),
    (b"A: X-Tag: not a field\r\n\r\n", b"A: X-Tag: not a field\r\n\r\n", 0),
    (b"\r\nX-Tag: body alone\r\n", b"\r\nX-Tag: body alone\r\n", 0),
    (b"\nbody\n", b"\nbody\n", 0),
]


def released(pieces: list[bytes], tag: bytes | None = TAG) -> tuple[bytes, int, bool]:
    hold, out, is_released = HeaderHold(b"X-Tag"), b"", False
    for piece in pieces:
        if is_released:
            out += hold.strip(piece) if hold.overlong else piece
            continue
        hold.feed(piece)
        is_released = hold.is_ready
        out += hold.release(tag) if is_released else b""
    if not is_released:
        out += hold.release(tag)
    return out, hold.removed, hold.overlong


@pytest.mark.parametrize(("content", "expected", "removed"), CASES)
def test_strange_tags_are_taken_off_however_the_section_is_cut(content: bytes, expected: bytes, removed: int) -> None:
    assert released([content]) == (TAG + expected, removed, False)
    assert released([content[i : i + 1] for i in range(len(content))]) == (TAG + expected, removed, False)
    assert released([content], None) == (expected, removed, False)


def test_a_section_without_an_end_is_all_header() -> None:
    assert released([b"A: 1\r\nX-Tag: forged\r\n"]) == (TAG + b"A: 1\r\n", 1, False)


@pytest.mark.parametrize("step", [1_000, 65_536, 10**7])
def test_an_overlong_section_goes_on_without_strange_tags(step: int) -> None:
    filler = b"".join(b"F-%06d: %s\r\n" % (number, b"x" * 60) for number in range(HELD_OCTETS // 60))
    long_line = b"G: " + b"y" * 20_000 + b"\r\n"
    content = (
        filler + b"X-Tag: forged\r\n" + long_line + b"x-tag" + b" " * 9_000 + b": forged\r\nZ: 1\r\n\r\nX-Tag: body\r\n"
    )
    out, removed, overlong = released([content[at : at + step] for at in range(0, len(content), step)], None)
    assert out == filler + long_line + b"Z: 1\r\n\r\nX-Tag: body\r\n"
    assert removed == 2
    assert overlong == (step < 10**7)


@given(st.lists(st.sampled_from([b"A: 1\r\n", b" folded\r\n", b"\r\n", b"\n", b"B", b":", b" ", b"\r"]), max_size=20))
def test_without_strange_tags_nothing_changes(pieces: list[bytes]) -> None:
    assert released(pieces, None)[0] == b"".join(pieces)
