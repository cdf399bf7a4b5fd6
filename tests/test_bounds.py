"""
Memory and time stay bounded, whatever is sent: each flood ends normally, is told of by a counter, and leaves no more in
memory than the limits add up to.

Floods come over standard input as they are made, so that none lies on a disk. The bounds on memory are those of the
whole process: what the interpreter, the libraries and the queues of frames take stands in ``BASE``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest

from sensor import _core
from tests.craft.flow import SYN
from tests.floods import HEADER, Talk, from_many_clients, record
from tests.running import Ended, fed

LIMITS = {name: value for name, _, value in _core.limits()}
MIB = 1 << 20
BASE = 64 * MIB

Flood = Callable[[int], Iterator[bytes]]


def replay(octets: Iterator[bytes], *options: str) -> tuple[dict[str, Any], Ended]:
    """The summary of a flood that ended normally, and what it took."""
    ended = fed(chain([HEADER], octets), "replay", "-", "--json", *options)
    assert ended.status in (0, 3), ended.words
    assert ended.err == b""
    return json.loads(ended.out), ended


def repeated(block: bytes, octets: int) -> Iterator[bytes]:
    """*block* over and over, up to so many octets."""
    for _ in range(octets // len(block)):
        yield block


# ---- one connection


def _one_header_line(octets: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.content(b"Subject: flood") + talk.client(b"X-Flood: ")
    yield from map(talk.client, repeated(b"x" * MIB, octets))
    yield talk.end()


def _one_folded_field(octets: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.content(b"Subject: flood") + talk.client(b"References: <1@a.example>")
    yield from map(talk.client, repeated(b"\r\n <another.one@a.example>" * 20_000, octets))
    yield talk.end()


def _one_body_line(octets: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.content(b"Subject: flood", b"")
    yield from map(talk.client, repeated(b"x" * MIB, octets))
    yield talk.end()


def _one_command_line(octets: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.client(b"MAIL FROM:<ann@a.example> X-FLOOD=")
    yield from map(talk.client, repeated(b"x" * MIB, octets))
    yield talk.client(b"\r\n") + talk.server(b"500 Too long\r\n") + talk.content(b"Subject: flood", b"") + talk.end()


def _one_reply_line(octets: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.client(b"NOOP\r\n") + talk.server(b"250 ")
    yield from map(talk.server, repeated(b"x" * MIB, octets))
    yield talk.server(b"\r\n") + talk.content(b"Subject: flood", b"") + talk.end()


def _recipients(count: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.client(b"MAIL FROM:<ann@a.example>\r\n") + talk.server(b"250 Ok\r\n")
    for first in range(0, count, 1000):
        yield talk.client(b"".join(b"RCPT TO:<r%d@corp.example>\r\n" % n for n in range(first, first + 1000)))
        yield talk.server(b"250 Ok\r\n" * 1000)
    yield talk.client(b"DATA\r\n") + talk.server(b"354 Go on\r\n") + talk.client(b"Subject: flood\r\n\r\n") + talk.end()


def _unanswered_commands(count: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet()
    for _ in range(count // 1000):
        yield talk.client(b"RCPT TO:<someone@corp.example>\r\n" * 1000)


def _nested_parts(depth: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.content(b"Subject: flood", b"MIME-Version: 1.0", _multipart(0))
    for level in range(depth):
        yield talk.client(b"\r\n--b%d\r\n%s\r\n" % (level, _multipart(level + 1)))
    yield talk.client(b"".join(b"\r\n--b%d--\r\n" % level for level in reversed(range(depth)))) + talk.end()


def _multipart(level: int) -> bytes:
    return b'Content-Type: multipart/mixed; boundary="b%d"\r\n' % level


def _parts(count: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.content(b"Subject: flood", b"MIME-Version: 1.0", _multipart(0))
    for first in range(0, count, 1000):
        part = b'--b0\r\nContent-Disposition: attachment; filename="%d.txt"\r\n\r\nx\r\n'
        yield talk.client(b"".join(part % number for number in range(first, first + 1000)))
    yield talk.client(b"--b0--\r\n") + talk.end()


ONE_CONNECTION: list[tuple[Flood, int, str | None, int]] = [
    (_one_header_line, 256 * MIB, "header_octets_dropped", LIMITS["header_octets"]),
    (_one_folded_field, 64 * MIB, "header_octets_dropped", LIMITS["header_octets"]),
    (_one_body_line, 512 * MIB, None, 0),
    (_one_command_line, 64 * MIB, "line_octets_dropped", LIMITS["line_octets"]),
    (_one_reply_line, 64 * MIB, "line_octets_dropped", LIMITS["line_octets"]),
    (_recipients, 200_000, "recipients_dropped", LIMITS["recipients"] * 512),
    (_nested_parts, 10_000, "mime_parts_dropped", LIMITS["mime_part_header_octets"]),
    (_parts, 50_000, "mime_parts_dropped", LIMITS["attachments"] * LIMITS["attachment_name_octets"]),
]


@pytest.mark.parametrize(("flood", "size", "counter", "held"), ONE_CONNECTION)
def test_a_connection_that_says_too_much_is_bounded_and_the_next_mail_is_read(
    flood: Flood, size: int, counter: str | None, held: int
) -> None:
    """The bound that was reached is counted, and what comes behind it in the session is told as ever."""
    summary, ended = replay(flood(size))
    assert summary["coverage"]["delivered"] == 2
    assert counter is None or summary["counters"][counter] > 0
    assert ended.peak_octets < BASE + held


def test_commands_without_replies_are_bounded() -> None:
    """A client that pipelines for ever at a server that says nothing."""
    summary, ended = replay(_unanswered_commands(100_000))
    assert summary["counters"]["commands_dropped"] > 0
    assert ended.peak_octets < BASE + LIMITS["pending_commands"] * 512


def _unasked_replies(count: int) -> Iterator[bytes]:
    talk = Talk()
    yield talk.greet() + talk.client(b"MAIL FROM:<ann@a.example>\r\nRCPT TO:<bob@corp.example>\r\n")
    talk.server(b"250 A reply that the span port lost\r\n")
    for _ in range(count // 1000):
        yield talk.server(b"250 %s\r\n" % (b"x" * 100) * 1000)


def test_replies_without_commands_are_bounded() -> None:
    """After a loss it is open which reply answers which command; a server that then never stops is not waited for."""
    summary, ended = replay(_unasked_replies(1_000_000))
    assert summary["counters"]["gaps"] == 1
    assert ended.peak_octets < BASE + LIMITS["pending_commands"] * LIMITS["reply_text_octets"]


# ---- many connections


def test_millions_of_half_open_connections_are_bounded() -> None:
    """A flood of SYNs fills the table of flows without payload, and nothing else."""
    count = 10_000_000
    summary, ended = replay(from_many_clients(count, record(flags=SYN)))
    assert summary["counters"]["frames"] == count
    assert summary["counters"]["flows_embryonic_evicted"] >= count - LIMITS["embryonic_flows"] - 1
    assert summary["counters"].get("flows", 0) == 0
    assert ended.peak_octets < BASE + LIMITS["embryonic_flows"] * 256


SPEAKING = (
    record(flags=SYN, numbers=(0, 0)),
    record(b"EHLO a.example\r\n", numbers=(1, 1)),
)


def test_connections_beyond_the_table_are_bounded() -> None:
    """Every client says EHLO and is never heard of again."""
    count = 120_000
    summary, ended = replay(from_many_clients(count, *SPEAKING), "--limit", "flows=20000")
    assert summary["counters"]["flows"] == count
    assert summary["counters"]["flows_evicted"] >= count - 20_000 - 1
    assert ended.peak_octets < BASE + 20_000 * 2048


def test_holes_in_many_connections_are_bounded() -> None:
    """Octets that wait for what was lost before them fill their own bound, over all flows."""
    count, bound = 200_000, 16 * MIB
    ahead = record(b"x" * 400, numbers=(5_000, 1))
    summary, ended = replay(from_many_clients(count, *SPEAKING, ahead), "--limit", f"out_of_order_octets={bound}")
    assert summary["counters"]["octets_dropped_out_of_order"] > 0
    assert ended.peak_octets < BASE + count * 2048 + 2 * bound


def test_first_octets_of_many_connections_are_bounded() -> None:
    """What may be mail and does not tell is kept until it does, in all no more than sessions may hold."""
    count, bound = 60_000, 16 * MIB
    silent = record(b"x" * 4000, numbers=(1, 1))
    flood = from_many_clients(count, SPEAKING[0], silent)
    summary, ended = replay(flood, "--limit", f"session_octets={bound}", "--limit", "flows=65536")
    assert summary["counters"]["session_octets_shed"] > count * 3_000
    assert ended.peak_octets < BASE + 2 * bound + count * 2048


def _stopped_in_their_header(count: int) -> Iterator[bytes]:
    for port in range(1024, 1024 + count):
        talk = Talk(port=port)
        yield talk.greet() + talk.content(b"Subject: flood", *[b"X-Flood: more and more of it"] * 1000)


def test_large_header_sections_in_many_connections_are_bounded() -> None:
    """Each client stops inside its header section: together they hold what one bound allows, and each mail is told."""
    count, bound = 8_000, 32 * MIB
    options = ("--limit", f"session_octets={bound}", "--limit", "flows=16384")
    summary, ended = replay(_stopped_in_their_header(count), *options)
    assert summary["counters"]["session_octets_shed"] > (count - 2_000) * 28_000
    assert summary["anomalies"]["smtp_session_shed"] > count - 2_000
    assert summary["counters"]["transactions"] == count
    # Buffers grow by doubling; each session has its own size and keeps its even share.
    assert ended.peak_octets < BASE + 2 * bound + count * (4096 + bound // 16384)


def test_first_fragments_without_end_are_bounded() -> None:
    """Datagrams that never become whole."""
    fragment = record(b"x" * 1000, fragment=0x2000)
    summary, ended = replay(from_many_clients(200_000, fragment))
    assert summary["counters"]["fragments_dropped"] > 0
    assert summary["anomalies"]["ip_fragment_limit"] > 0
    assert ended.peak_octets < BASE + LIMITS["fragment_octets"]


def test_small_fragments_of_one_datagram_are_bounded() -> None:
    """Eight octets a piece, each with a hole before it."""
    pieces = (record(b"x" * 8, fragment=0x2000 | number % 4096 * 2) for number in range(100_000))
    summary, ended = replay(pieces)
    assert summary["counters"]["fragments_dropped"] > 0
    assert ended.peak_octets < BASE + LIMITS["fragment_octets"]


# ---- files


def zipped(octets: bytes, times: int) -> Iterator[bytes]:
    """A gzip file that grows to *times* what is given: one member over and over (RFC 1952 2.2)."""
    member = gzip.compress(octets, mtime=0)
    return repeated(member, len(member) * times)


def test_a_zip_bomb_is_no_capture() -> None:
    """A gibibyte of zeros behind a megabyte: looked into, not unpacked."""
    ended = fed(zipped(bytes(64 * MIB), 16), "replay", "-", "--json")
    assert ended.status == 1
    assert json.loads(ended.out)["damage"][0]["kind"] == "not_a_capture"
    assert ended.peak_octets < BASE


def test_a_capture_that_is_a_zip_bomb_is_read_in_pieces() -> None:
    """Behind a true header the zeros are packets of no octets: counted, not kept."""
    ended = fed(chain([gzip.compress(HEADER, mtime=0)], zipped(bytes(64 * MIB), 4)), "replay", "-", "--json")
    summary = json.loads(ended.out)
    assert ended.status in (0, 3)
    assert summary["damage"] or summary["counters"]["frames"] == 256 * MIB // 16
    assert ended.peak_octets < BASE


# ---- time


def _reversed_octets(count: int) -> Iterator[bytes]:
    """Each connection shows its segments, of one octet, last to first: the worst order to hold them in."""
    for port in range(count):
        talk = Talk(port=1024 + port)
        yield talk.greet()
        yield b"".join(record(b"x", port=1024 + port, numbers=(17 + place, 41)) for place in reversed(range(1, 1500)))


LINEAR: list[tuple[Flood, int]] = [
    (_unanswered_commands, 50_000),
    (_recipients, 100_000),
    (_parts, 100_000),
    (_one_folded_field, 48 * MIB),
    (_reversed_octets, 60),
]


def _body_of(line: bytes) -> Flood:
    """A body of one line over and over."""

    def body(octets: int) -> Iterator[bytes]:
        talk = Talk()
        yield talk.greet() + talk.content(b"Subject: flood", b"")
        yield from map(talk.client, repeated(line * (MIB // len(line)), octets))
        yield talk.end()

    return body


# Each line asks anew whether the content is over.
QUESTIONS = [b"\n.\n", b"\n.\nmail\n", b"\r.\rx", b"\n.\nQUIT\n", b"..\r\n"]


@pytest.mark.parametrize("line", QUESTIONS)
def test_a_body_of_nothing_but_questions_takes_some_times_as_long_as_an_ordinary_one(line: bytes) -> None:
    size = 20 * MIB
    ordinary = replay(_body_of(b"The quick brown fox jumps over the lazy dog.\r\n")(size))[1].cpu_s
    assert replay(_body_of(line)(size))[1].cpu_s < 10 * ordinary


@pytest.mark.parametrize(("flood", "size"), LINEAR)
def test_twice_the_input_takes_about_twice_the_time(flood: Flood, size: int) -> None:
    """By the time of the processor, so that other work on the machine does not count."""
    once, twice = (replay(flood(each))[1].cpu_s for each in (size, 2 * size))
    assert twice < 3 * once
