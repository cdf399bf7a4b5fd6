"""Packets of an MTA, cut from a stream of any segmentation."""

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.taps.milter.limits import Bounds
from sensor.taps.milter.protocol import (
    COMMANDS,
    Abort,
    Body,
    Connect,
    Data,
    EndOfHeader,
    EndOfMessage,
    Event,
    Field,
    Helo,
    Macros,
    Mail,
    Offer,
    Quit,
    QuitForNext,
    Rcpt,
    Reader,
    Unknown,
    ViolationError,
)
from tests.taps.milter.packets import packet

GOLDEN: list[tuple[str, Event]] = [
    ("0000000d 4f 00000006 000001ff 001fffff", Offer(6, 0x1FF, 0x1FFFFF)),
    ("0000000d 4f 00000002 0000003f 0000007f", Offer(2, 0x3F, 0x7F)),
    # What a later version may say beyond what is known.
    ("00000011 4f 00000007 000001ff 001fffff cafef00d", Offer(7, 0x1FF, 0x1FFFFF)),
    ("00000008 44 43 6a006d7800 00", Macros(ord("C"), {b"j": b"mx"})),
    (
        "00000017 44 45 6900 345a5100 7b617574685f747970657d00 7000",
        Macros(ord("E"), {b"i": b"4ZQ", b"auth_type": b"p"}),
    ),
    ("00000002 44 4d", Macros(ord("M"), {})),
    ("00000010 43 6d7800 34 0019 3139322e302e322e3700", Connect(b"mx", b"4", 25, b"192.0.2.7")),
    ("00000013 43 6d7800 36 9c40 495076363a323030313a3a3100", Connect(b"mx", b"6", 40_000, b"IPv6:2001::1")),
    ("0000000b 43 6d7800 4c 0000 2f732f7800", Connect(b"mx", b"L", 0, b"/s/x")),
    ("00000005 43 6d7800 55", Connect(b"mx", b"U", 0, b"")),
    ("00000005 48 652e6500", Helo(b"e.e")),
    ("0000000e 4d 3c613e00 53495a453d313000", Mail((b"<a>", b"SIZE=10"))),
    ("00000004 4d 3c3e00", Mail((b"<>",))),
    ("00000005 52 3c623e00", Rcpt((b"<b>",))),
    ("00000001 54", Data()),
    ("0000000f 4c 5375626a65637400 2068690900", Field(b"Subject", b" hi\t")),
    ("00000004 4c 580000", Field(b"X", b"")),
    ("00000001 4e", EndOfHeader()),
    ("00000005 42 61620d0a", Body(b"ab\r\n")),
    ("00000001 45", EndOfMessage(b"")),
    ("00000003 45 6162", EndOfMessage(b"ab")),
    ("00000001 41", Abort()),
    ("00000001 51", Quit()),
    ("00000001 4b", QuitForNext()),
    ("00000007 55 484f574459 00", Unknown(b"HOWDY")),
]
LONGEST = Bounds().packet_octets

# The lengths above are for the eye; each is written anew from what follows it.
PACKETS = [
    (struct.pack(">I", len(rest)) + rest, event) for rest, event in ((bytes.fromhex(t)[4:], e) for t, e in GOLDEN)
]


def run(pieces: list[bytes]) -> list[Event]:
    reader = Reader(LONGEST)
    return [event for piece in pieces for event in reader.feed(piece)]


@pytest.mark.parametrize(("octets", "event"), PACKETS, ids=[text for text, _ in GOLDEN])
def test_a_packet_is_read_whole_and_octet_by_octet_and_with_a_tail(octets: bytes, event: Event) -> None:
    assert run([octets]) == [event]
    assert run([octets[at : at + 1] for at in range(len(octets))]) == [event]
    assert run([octets + packet(b"A")]) == [event, Abort()]


def test_every_command_has_a_golden_packet() -> None:
    assert {octets[4] for octets, _ in PACKETS} == set(COMMANDS)


@given(st.data())
def test_events_do_not_depend_on_where_the_stream_is_cut(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(PACKETS), max_size=12))
    stream = b"".join(octets for octets, _ in chosen)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert run(pieces) == [event for _, event in chosen]


@given(st.lists(st.binary(max_size=400), max_size=8))
def test_any_octets_give_events_or_one_violation(pieces: list[bytes]) -> None:
    reader, violations = Reader(LONGEST), 0
    for piece in pieces:
        try:
            list(reader.feed(piece))
        except ViolationError:
            violations += 1
        assert reader.held_octets <= LONGEST + 4
    assert violations <= 1


@given(st.sampled_from(sorted(COMMANDS)), st.binary(max_size=200))
def test_any_data_of_a_command_gives_an_event_or_a_violation(command: int, data: bytes) -> None:
    try:
        (event,) = run([packet(bytes([command]), data)])
    except ViolationError:
        return
    assert type(event).__mro__[1] is tuple


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (bytes.fromhex("00000000"), "a packet of 0 octets"),
        (bytes.fromhex("7fffffff 42"), "a packet of 2,147,483,647 octets"),
        ((LONGEST + 1).to_bytes(4), "a packet of 262,145 octets"),
        (packet(b"?"), "the command b'?'"),
        (packet(b"O", b"\0\0\0\6"), "an offer of 4 octets that is malformed"),
        (packet(b"D"), "macros of 0 octets that is malformed"),
        (packet(b"D", b"Ci"), "macros of 1 octets that is malformed"),
        (packet(b"C", b"mx"), "a connection of 2 octets that is malformed"),
        (packet(b"C", b"mx\0"), "a connection of 3 octets that is malformed"),
        (packet(b"C", b"mx\x004\0"), "a connection of 5 octets that is malformed"),
        (packet(b"H", b"name"), "HELO of 4 octets that is malformed"),
        (packet(b"M"), "MAIL of 0 octets that is malformed"),
        (packet(b"R", b"<b>"), "RCPT of 3 octets that is malformed"),
        (packet(b"L", b"X"), "a header field of 1 octets that is malformed"),
        (packet(b"L", b"\0v\0"), "a header field of 3 octets that is malformed"),
    ],
)
def test_what_is_no_packet_is_a_violation_that_says_why_and_ends_the_stream(octets: bytes, why: str) -> None:
    reader = Reader(LONGEST)
    first = packet(b"A")
    events: list[Event] = []
    with pytest.raises(ViolationError, match="^" + why.replace("?", r"\?") + "$"):
        events.extend(reader.feed(first + octets))
    assert events == [Abort()]
    assert list(reader.feed(first)) == []
    assert reader.held_octets == 0


def test_the_longest_packet_is_read() -> None:
    assert run([packet(b"B", b"x" * (LONGEST - 1))]) == [Body(b"x" * (LONGEST - 1))]


def test_of_a_packet_that_is_too_long_nothing_is_held() -> None:
    """A length is all that it takes to say no: what it promises is not waited for."""
    reader = Reader(LONGEST)
    tracemalloc.start()
    try:
        with pytest.raises(ViolationError):
            list(reader.feed((2**31).to_bytes(4)))
        for _ in range(2_000):
            list(reader.feed(b"x" * 4_096))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_a_long_packet_in_single_octets_is_joined_once() -> None:
    """Each octet costs the same, however many came before it: so many of them take no more than a moment."""
    octets = packet(b"B", b"x" * 200_000)
    reader = Reader(LONGEST)
    events: list[Event] = []
    for at in range(len(octets)):
        events += reader.feed(octets[at : at + 1])
    assert events == [Body(b"x" * 200_000)]
