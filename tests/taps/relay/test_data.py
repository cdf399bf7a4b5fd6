"""The end of data, and dots that lenient servers misread: the quick scanner against one that is plainly right."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.taps.relay.data import DataScanner

# What a strict server takes for content, with the dots that the scanner adds: (octets, passed, smuggled).
CASES = [
    (b"", b"", 0),
    (b"Subject: a\r\n\r\nbody\r\n", b"Subject: a\r\n\r\nbody\r\n", 0),
    (b"..stuffed\r\n.. \r\n...\r\n", b"..stuffed\r\n.. \r\n...\r\n", 0),
    (b".x\r\n", b".x\r\n", 0),
    (b"a\n.\nMAIL FROM:<x@y>\r\n", b"a\n..\nMAIL FROM:<x@y>\r\n", 1),
    (b"a\n.\r\nMAIL\r\n", b"a\n..\r\nMAIL\r\n", 1),
    (b"a\r\n.\nMAIL\r\n", b"a\r\n..\nMAIL\r\n", 1),
    (b"a\r.\rMAIL\r\n", b"a\r..\rMAIL\r\n", 1),
    (b"a\r.\r\nMAIL\r\n", b"a\r..\r\nMAIL\r\n", 1),
    (b"a\r\n.\rMAIL\r\n", b"a\r\n..\rMAIL\r\n", 1),
    (b"a\r\n.\r\r\nMAIL\r\n", b"a\r\n..\r\r\nMAIL\r\n", 1),
    (b"a\n.\r\r\nMAIL\r\n", b"a\n..\r\r\nMAIL\r\n", 1),
    (b"a\n..\nb\r\n", b"a\n...\nb\r\n", 1),
    (b"\n.\n.\n.\r\n", b"\n..\n..\n..\r\n", 3),
    (b".\nMAIL\r\n", b"..\nMAIL\r\n", 1),
    (b"bare\nnewlines\rwithout dots\r\n", b"bare\nnewlines\rwithout dots\r\n", 0),
    (b"\r\r\n", b"\r\r\n", 0),
]


def scan(pieces: list[bytes]) -> tuple[bytes, bytes, bytes | None, int]:
    """All that was seen, all that was passed on, what followed the end, and the dots added."""
    scanner, seen, passed = DataScanner(), b"", b""
    for number, piece in enumerate(pieces):
        scanned = scanner.feed(piece)
        seen, passed = seen + scanned.seen, passed + scanned.passed
        if scanned.rest is not None:
            return seen, passed, scanned.rest + b"".join(pieces[number + 1 :]), scanner.smuggled
        assert len(scanner.held) <= 2
    return seen, passed, None, scanner.smuggled


@pytest.mark.parametrize(("content", "passed", "smuggled"), CASES)
def test_content_ends_at_crlf_dot_crlf_alone_however_it_is_cut(content: bytes, passed: bytes, smuggled: int) -> None:
    for tail in (b"", b"QUIT\r\n", b".\r\n", b"\n.\n"):
        whole, expected = content + b".\r\n" + tail, (content, passed, tail, smuggled)
        assert scan([whole]) == expected
        assert scan([whole[i : i + 1] for i in range(len(whole))]) == expected
        for cut in range(len(whole)):
            assert scan([whole[:cut], whole[cut:]]) == expected


def reference(octets: bytes) -> tuple[bytes, bytes, bytes | None, int]:
    """The same, octet by octet over the whole, without cleverness."""
    end = (b"\r\n" + octets).find(b"\r\n.\r\n")
    content, rest = (octets[:end], octets[end + 3 :]) if end >= 0 else (octets, None)
    passed, smuggled = b"", 0
    padded = b"\r\n" + content
    for at in range(2, len(padded)):
        before, after = padded[at - 2 : at], padded[at + 1 : at + 3]
        is_bare_before = before[1:] in (b"\r", b"\n") and before != b"\r\n"
        is_bare_after = after[:1] == b"\n" or (after[:1] == b"\r" and len(after) == 2 and after != b"\r\n")
        if padded[at : at + 1] == b"." and (is_bare_before or (before == b"\r\n" and is_bare_after)):
            passed, smuggled = passed + b".", smuggled + 1
        passed += padded[at : at + 1]
    return content, passed, rest, smuggled


@given(st.lists(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a", b"\0"]), max_size=12).map(b"".join)))
def test_any_cuts_of_any_octets_give_what_the_plain_scanner_gives(pieces: list[bytes]) -> None:
    whole = b"".join([*pieces, b"\r\n.\r\n"])
    assert scan([*pieces, b"\r\n.\r\n"]) == reference(whole)


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a", b"\0"]), max_size=40).map(b"".join))
def test_no_lenient_server_sees_an_end_in_what_is_passed(octets: bytes) -> None:
    _, passed, _, _ = scan([octets + b"\r\n.\r\n"])
    # Any of CR, LF, CRLF and CRs before LF for a newline, on either side of a dot alone.
    lines = re.split(rb"\r*\n|\r", b"\n" + passed)
    assert b"." not in lines[1:-1]
