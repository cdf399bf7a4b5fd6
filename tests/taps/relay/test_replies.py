"""Replies out of octets cut anywhere, and what EHLO offers, less what may not pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.taps.relay.ehlo import PASSED, filtered, offers
from sensor.taps.relay.replies import ENDLESS_OCTETS, KEPT_LINE_OCTETS, KEPT_OCTETS, Reply, ReplyReader

CASES = [
    (b"250 Ok\r\n", [250]),
    (b"250\r\n", [250]),
    (b"250-a\r\n250-b\r\n250 c\r\n", [250]),
    (b"220 a\r\n354-b\r\n354 c\r\n550 d\r\n", [220, 354, 550]),
    (b"250-only the mark\r\n250\r\n", [250]),
    ("250 grüße\r\n".encode(), [250]),
    (b"250 bare\rreturns\r\n", [250]),
]


def read(pieces: list[bytes]) -> tuple[list[Reply], ReplyReader]:
    reader = ReplyReader()
    return [reply for piece in pieces for reply in reader.feed(piece)], reader


@pytest.mark.parametrize(("octets", "codes"), CASES)
def test_replies_are_whole_however_they_are_cut(octets: bytes, codes: list[int]) -> None:
    for pieces in ([octets], [octets[at : at + 1] for at in range(len(octets))], [octets, b"220 tail"]):
        replies, reader = read(pieces)
        assert [reply.code for reply in replies] == codes
        assert b"".join(reply.octets for reply in replies) == octets
        assert reader.broken is None
        assert reader.is_amid == (pieces[-1] == b"220 tail")


def test_lines_of_a_server_that_ends_them_with_lf_are_mended() -> None:
    assert read([b"250-a\n250 b\n"])[0] == [Reply(250, b"250-a\r\n250 b\r\n")]


@pytest.mark.parametrize(
    "octets",
    [
        b"Ok\r\n",
        b"\r\n",
        b"25 Ok\r\n",
        b"2500 Ok\r\n",
        b"150 Ok\r\n",
        b"600 Ok\r\n",
        b"250-a\r\n251 b\r\n",
        b"250_a\r\n",
    ],
)
def test_what_is_no_reply_breaks_the_reader_for_good(octets: bytes) -> None:
    for pieces in ([octets], [octets[at : at + 1] for at in range(len(octets))]):
        replies, reader = read([*pieces, b"250 Ok\r\n"])
        assert replies == []
        assert reader.broken is not None


def test_long_replies_keep_their_beginning_and_their_end() -> None:
    line = b"250-" + b"x" * 1_000 + b"\r\n"
    for step in (1_000_000, 10_007):
        whole = line * 1_000 + b"250 2.0.0 last\r\n"
        (reply,), reader = read([whole[at : at + step] for at in range(0, len(whole), step)])
        assert reply.octets.endswith(b"x\r\n250 2.0.0 last\r\n")
        assert KEPT_OCTETS - len(line) < len(reply.octets) <= KEPT_OCTETS + len(line)
        assert reader.cut == 1


def test_a_long_line_keeps_its_beginning() -> None:
    (reply,), reader = read([b"250 " + b"x" * 100_000 + b"\r\n"])
    assert len(reply.octets) == KEPT_LINE_OCTETS + 2
    assert reader.cut == 1


@pytest.mark.parametrize("line", [b"250-x\r\n", b"x"])
def test_a_reply_without_an_end_breaks_the_reader(line: bytes) -> None:
    reader, piece = ReplyReader(), line * 50_000
    for _ in range(ENDLESS_OCTETS // len(piece) + 2):
        assert reader.feed(piece) == []
    assert reader.broken is not None


@given(
    st.lists(st.sampled_from([b"2", b"5", b"0", b"-", b" ", b"\r\n", b"\n", b"250 Ok\r\n", b"250-a\r\n"]), max_size=30)
)
def test_any_cuts_give_the_same(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    (cut, cut_reader), (once, reader) = read(pieces), read([whole])
    assert cut == once
    assert cut_reader.broken == reader.broken


# ---- EHLO


def test_offers_are_told_by_keyword() -> None:
    reply = Reply(
        250, b"250-mx greets\r\n250-size 100\r\n250-AUTH=LOGIN\r\n250-XCLIENT NAME ADDR\r\n250 PIPELINING\r\n"
    )
    assert offers(reply) == {b"SIZE": b"100", b"AUTH": b"LOGIN", b"XCLIENT": b"NAME ADDR", b"PIPELINING": b""}
    assert offers(Reply(502, b"502-no\r\n502 PIPELINING\r\n")) == {}


@pytest.mark.parametrize(
    ("octets", "added", "expected"),
    [
        (b"250 mx\r\n", (), b"250 mx\r\n"),
        (b"250 mx\r\n", (b"STARTTLS",), b"250-mx\r\n250 STARTTLS\r\n"),
        (b"250-mx\r\n250-CHUNKING\r\n250 X-OWN\r\n", (), b"250 mx\r\n"),
        (b"250-mx\r\n250-Size 5\r\n250-STARTTLS\r\n250 dsn\r\n", (), b"250-mx\r\n250-Size 5\r\n250 dsn\r\n"),
        (
            b"250-mx\r\n250-AUTH=PLAIN\r\n250-\r\n250 HELP\r\n",
            (b"STARTTLS",),
            b"250-mx\r\n250-AUTH=PLAIN\r\n250-HELP\r\n250 STARTTLS\r\n",
        ),
        (b"550-no\r\n550 CHUNKING\r\n", (b"STARTTLS",), b"550-no\r\n550 CHUNKING\r\n"),
    ],
)
def test_only_what_passes_is_offered(octets: bytes, added: tuple[bytes, ...], expected: bytes) -> None:
    assert filtered(Reply(int(octets[:3]), octets), PASSED, added) == expected
