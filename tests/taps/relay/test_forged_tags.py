"""Tags forged for a reader that is more lenient than RFC 5322, or made to look as if the sensor had said more."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.taps.relay.tagging import HELD_OCTETS, HeaderHold

NAME = "X-Tag"
TAG = b"X-Tag: auto\r\n"


def released(content: bytes, tag: bytes | None = TAG, step: int = 1 << 30) -> tuple[bytes, int]:
    """What a next hop gets of *content* that comes in pieces of *step* octets, and how many fields were taken off."""
    hold, out, is_released = HeaderHold(NAME.encode()), b"", False
    for piece in (content[at : at + step] for at in range(0, len(content), step)):
        if is_released:
            out += hold.strip(piece) if hold.overlong else piece
            continue
        hold.feed(piece)
        is_released = hold.is_ready
        out += hold.release(tag) if is_released else b""
    if not is_released:
        out += hold.release(tag)
    return out + hold.strip(b"", is_last=True), hold.removed


@pytest.mark.parametrize(
    ("forged", "left"),
    [
        (b"A: 1\rX-Tag: forged\r\nB: 2\r\n\r\n", b"A: 1\r\nB: 2\r\n\r\n"),
        (b"A: 1\rx-tag \t: forged\r\n still A\r\n\r\n", b"A: 1\r\n still A\r\n\r\n"),
        (b"\rX-Tag: forged\rX-Tag: again\r\nB: 2\r\n\r\n", b"\r\nB: 2\r\n\r\n"),
        (b"X-Tag\r\n : forged\r\nB: 2\r\n\r\n", b"B: 2\r\n\r\n"),
        (b"X-Tag \n\t: forged\r\nB: 2\r\n\r\n", b"B: 2\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("step", [1, 1 << 30])
def test_a_tag_that_only_a_lenient_reader_sees_is_taken_off(forged: bytes, left: bytes, step: int) -> None:
    out, removed = released(forged, step=step)
    assert out == TAG + left
    assert removed == forged.lower().count(b"x-tag")


def test_words_before_the_first_field_do_not_become_words_of_the_tag() -> None:
    out, _ = released(b" rule=partner\r\nSubject: a\r\n\r\nbody\r\n")
    assert out == TAG + b"\r\n rule=partner\r\nSubject: a\r\n\r\nbody\r\n"
    # Nor where the field that they went on with was a stranger's, nor untagged.
    assert released(b"X-Tag: forged\r\n rule=partner\r\nB: 2\r\n\r\n")[0] == TAG + b"B: 2\r\n\r\n"
    assert released(b" first\r\nA: 1\r\n\r\n", None)[0] == b" first\r\nA: 1\r\n\r\n"


@pytest.mark.parametrize("step", [999, 4_096, 65_537])
def test_a_bare_cr_hides_nothing_in_a_section_that_is_too_long_to_be_held(step: int) -> None:
    filler = b"F: " + b"f" * 100_000 + b"\r" + b"f" * 200_000
    content = filler + b"\rX-Tag: forged\r\nG: 1\r\n\r\nX-Tag: body\r\n"
    assert len(filler) > HELD_OCTETS
    assert released(content, None, step) == (filler + b"\r\nG: 1\r\n\r\nX-Tag: body\r\n", 1)


WORDS = [b"X-Tag", b"x-tag", b"A", b":", b": 1", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n\r\n"]


@given(st.lists(st.sampled_from(WORDS), max_size=24), st.integers(1, 8))
def test_a_reader_that_ends_lines_at_bare_newlines_sees_our_tag_alone(words: list[bytes], step: int) -> None:
    out, _ = released(b"".join(words), step=step)
    assert message_from_bytes(out, policy=policy.compat32).get_all(NAME) == ["auto"]
