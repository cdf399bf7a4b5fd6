"""The milter's sockets: real connections to a tap whose judge says what the test wants."""

from __future__ import annotations

import asyncio
import io
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sensor.classify import builtin_table
from sensor.log import Log
from sensor.settings import MilterSettings
from sensor.taps.inline import InlineCore
from sensor.taps.milter import server, tap
from sensor.taps.milter.tap import MilterTap
from tests.taps.milter.packets import QUIT, a_mail, body, connect, end_of_message, helo, mail, offer, packet, rcpt
from tests.taps.milter.watching import Saying, Seen, Verdict

PATIENCE_S = 10.0
CONTINUE = (b"c", b"")


@dataclass(slots=True)
class Running:
    """A tap that listens, and what was read of it."""

    tap: MilterTap
    log: io.StringIO
    events: list[Any] = field(default_factory=list)

    def dial(self, place: int = 0) -> socket.socket:
        kind, _, where = self.tap.addresses[place].partition(":")
        client = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        client.settimeout(PATIENCE_S)
        host, _, port = where.rpartition(":")
        client.connect(where if kind == "unix" else (host, int(port)))
        return client

    def read(self) -> None:
        for batch in self.tap.batches():
            self.events.extend(batch)

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.01)

    def count(self, name: str) -> int:
        return self.tap.counters()[f"milter_{name}"]


@contextmanager
def running(folder: Path, judge: Saying | None = None, **changes: Any) -> Iterator[Running]:
    settings = MilterSettings(listen=(f"unix:{folder}/s", "inet:127.0.0.1:0"), drain_s=2)
    log = io.StringIO()
    core = InlineCore(builtin_table().interest)
    opened = MilterTap(replace(settings, **changes), core, judge or Saying(), log=Log(log))
    own = Running(opened, log)
    reading = threading.Thread(target=own.read)
    reading.start()
    own.until(lambda: "milter_listening" in log.getvalue())
    log.truncate(log.seek(0))
    try:
        yield own
    finally:
        opened.stop()
        reading.join(PATIENCE_S)
        assert not reading.is_alive()


def ask(client: socket.socket, *octets: bytes) -> tuple[bytes, bytes]:
    """Send, and read one packet."""
    client.sendall(b"".join(octets))
    (length,) = struct.unpack(">I", _receive(client, 4))
    answer = _receive(client, length)
    return answer[:1], answer[1:]


def _receive(client: socket.socket, octets: int) -> bytes:
    received = b""
    while len(received) < octets:
        piece = client.recv(octets - len(received))
        assert piece, "it hung up"
        received += piece
    return received


def is_hung_up(client: socket.socket) -> bool:
    with suppress(ConnectionResetError):
        return client.recv(1) == b""
    return True


@pytest.mark.parametrize("place", [0, 1], ids=["unix", "inet"])
@pytest.mark.parametrize("is_uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_a_mail_over_a_socket_is_answered_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, is_uvloop: bool
) -> None:
    if is_uvloop:
        assert tap._new_loop() is pytest.importorskip("uvloop").new_event_loop  # noqa: SLF001
    else:
        monkeypatch.setattr(tap, "_new_loop", lambda: asyncio.new_event_loop)
    with running(tmp_path) as own, own.dial(place) as client:
        assert ask(client, offer())[0] == b"O"
        assert ask(client, connect(), helo(), a_mail("first")) == CONTINUE
        assert ask(client, a_mail("second")) == CONTINUE
        own.until(lambda: len(own.events) == 2)
        client.sendall(QUIT)
        assert is_hung_up(client)
        assert own.count("mails") == 2
    assert [event.header.subject for event in own.events] == ["first", "second"]
    assert [event.outcome for event in own.events] == ["delivered", "delivered"]
    assert not (tmp_path / "s").exists()


def test_a_mail_octet_by_octet_is_the_same_mail(tmp_path: Path) -> None:
    with running(tmp_path) as own, own.dial(1) as client:
        ask(client, offer())
        octets = connect() + helo() + a_mail()
        for at in range(len(octets)):
            client.sendall(octets[at : at + 1])
        assert ask(client) == CONTINUE
        own.until(lambda: len(own.events) == 1)
        assert ask(client, a_mail()) == CONTINUE
        own.until(lambda: len(own.events) == 2)
    assert own.events[0].body_digest == own.events[1].body_digest is not None


def test_what_is_not_the_protocol_is_hung_up_on_and_told(tmp_path: Path) -> None:
    with running(tmp_path) as own, own.dial() as stranger, own.dial() as client:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert is_hung_up(stranger)
        assert ask(client, offer())[0] == b"O"
        assert own.count("violations") == 1
    assert re.fullmatch(r'warning milter_violation why="a packet of [0-9,]+ octets"\n', own.log.getvalue())


def test_connections_beyond_the_bound_are_closed_at_once_and_a_place_is_free_again_later(tmp_path: Path) -> None:
    with running(tmp_path, connections=1) as own:
        with own.dial() as first, own.dial() as second:
            assert ask(first, offer())[0] == b"O"
            assert is_hung_up(second)
            assert own.count("connections_refused") == 1
            assert 'warning milter_connections_refused times=1 why="milter.connections are open' in own.log.getvalue()
            first.sendall(QUIT)
            assert is_hung_up(first)
        with own.dial() as third:
            assert ask(third, offer())[0] == b"O"


def test_a_silent_connection_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SWEEP_S", 0.05)
    with running(tmp_path, idle_timeout_s=0.2) as own, own.dial() as client:
        ask(client, offer())
        client.sendall(connect() + helo() + mail() + rcpt() + body(b"half"))
        assert is_hung_up(client)
        own.until(lambda: len(own.events) == 1)
        assert (own.count("connections_silent"), own.count("mails_lost")) == (1, 1)
    assert own.events[0].outcome == "unknown"
    assert own.events[0].completeness.truncated


def test_a_fault_of_ours_costs_one_connection_and_is_told(tmp_path: Path) -> None:
    """What the MTA does then is its default action, as if we were away."""

    def fail(seen: Seen) -> Verdict:
        raise RuntimeError("words of a mail")

    with running(tmp_path, Saying(fail)) as own, own.dial() as client, own.dial() as other:
        ask(client, offer())
        client.sendall(connect() + helo() + a_mail())
        assert is_hung_up(client)
        assert ask(other, offer())[0] == b"O"
        own.until(lambda: own.count("failures") == 1)
    assert re.search(r"error milter_failure why=RuntimeError at=test_server\.py:[0-9]+\n", own.log.getvalue())
    assert "words" not in own.log.getvalue()


def test_at_the_end_a_mail_on_its_way_is_let_through_and_idle_connections_are_closed(tmp_path: Path) -> None:
    with running(tmp_path) as own, own.dial() as busy, own.dial() as idle:
        ask(idle, offer())
        ask(busy, offer())
        busy.sendall(connect() + helo() + mail() + rcpt() + body(b"half"))
        own.until(lambda: own.count("connections") == 2)
        time.sleep(0.1)
        own.tap.stop()
        assert is_hung_up(idle)
        assert ask(busy, body(b" and whole"), end_of_message()) == CONTINUE
        assert is_hung_up(busy)
    assert [event.outcome for event in own.events] == ["delivered"]


def test_the_end_waits_no_longer_than_it_is_told_to(tmp_path: Path) -> None:
    with running(tmp_path, drain_s=0) as own, own.dial() as client:
        ask(client, offer())
        client.sendall(connect() + helo() + mail() + rcpt() + body(b"half"))
        time.sleep(0.1)
        own.tap.stop()
        assert is_hung_up(client)
    assert [event.outcome for event in own.events] == ["unknown"]


def test_a_peer_that_does_not_read_its_answers_is_not_read_any_more(tmp_path: Path) -> None:
    """Answers to a flood would pile up: what waits is bounded by the buffers of the kernel and the transport."""
    with running(tmp_path) as own, own.dial() as client:
        client.sendall(offer(steps=0) + connect() + helo() + mail() + rcpt())
        client.settimeout(1.0)
        flood = packet(b"U", b"X\0") * 10_000
        sent = 0
        with suppress(TimeoutError):
            while sent < 32_000_000:
                sent += client.send(flood)
        assert sent < 32_000_000
