"""What the log says when something between client and next hop goes wrong: enough to know what to look at."""

from __future__ import annotations

import io
import re
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sensor.log import Log
from sensor.taps.telling import TELL_EVERY_S, Teller, reason_of
from tests.service import free_port
from tests.taps.relay.certificates import certificate
from tests.taps.relay.next_hop import RESET, next_hop
from tests.taps.relay.relaying import LOOPS, Client, relaying

DOCS = Path(__file__).parents[3] / "docs" / "relay.md"
CONTENT = b"Subject: a\r\n\r\nbody\r\n"


def test_each_trouble_is_told_at_once_and_then_once_a_minute_with_its_number() -> None:
    told, now_s = io.StringIO(), [0.0]
    teller = Teller(Log(told), "relay", clock=lambda: now_s[0])
    for _ in range(3):
        teller.tell("next_hop_not_reached", "Connection refused")
    teller.tell("sessions_refused", "relay.max_sessions are open")
    now_s[0] = TELL_EVERY_S
    teller.tell("next_hop_not_reached", "No route to host")
    assert told.getvalue().splitlines() == [
        'warning relay_next_hop_not_reached times=1 why="Connection refused"',
        'warning relay_sessions_refused times=1 why="relay.max_sessions are open"',
        'warning relay_next_hop_not_reached times=3 why="No route to host"',
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_next_hop_that_is_down_is_told(loop: str, capsys: pytest.CaptureFixture[str]) -> None:
    with relaying(free_port(), event_loop=loop) as relay, Client(relay.port) as client:
        assert client.reply() == 421
    assert 'relay_next_hop_not_reached times=1 why="Connection refused"' in capsys.readouterr().err


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ({"banner": b"554 5.7.1 You at 192.0.2.7 may not\r\n"}, 'next_hop_refuses times=1 why="its banner is 554"'),
        ({"banner": b"HTTP/1.1 400 Bad\r\n"}, 'next_hop_nonsense times=1 why="a reply without a code"'),
        ({"MAIL": b"250 2.1.0 Ok\r\n250 2.1.0 Ok\r\n"}, 'nonsense times=1 why="a reply that nothing asked for"'),
        ({"content": RESET}, 'next_hop_lost times=1 why="it went away amid a mail"'),
        ({"committed": RESET}, "mail_ambiguous times=1"),
    ],
)
def test_a_next_hop_that_misbehaves_is_told(
    faults: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with next_hop(faults) as server, relaying(server.port) as relay, Client(relay.port) as client:
        if client.reply() == 220:
            client.send(b"EHLO a\r\n")
            client.send(b"MAIL FROM:<ann@corp.example>\r\nRCPT TO:<bob@corp.example>\r\nDATA\r\n")
            for _ in range(4):
                client.reply()
            client.send(CONTENT)
            if "content" in faults:
                until(lambda: relay.count("next_hop_lost") == 1)
            client.send(b".\r\n")
            client.reply()
    said = capsys.readouterr().err
    assert told in said
    assert "192.0.2.7" not in said
    assert "ann@" not in said


def test_a_certificate_that_is_not_the_one_required_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is for the right name, and nobody that the relay knows has signed it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path, "localhost"))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        relaying(listener.getsockname()[1], next_hop_tls="require") as relay,
        Client(relay.port) as client,
    ):
        taken, _ = listener.accept()
        for said in (b"220 mx ESMTP\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 Go on\r\n"):
            taken.sendall(said)
            # What comes after the last of these is the handshake.
            taken.recv(1_000, socket.MSG_PEEK if b"Go" in said else 0)
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(taken, server_side=True).recv(1)
        assert client.reply() == 421
    assert re.search(r"relay_next_hop_tls_failed times=1 why=\"?self.signed certificate", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('192.0.2.1', 25)"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("Multiple exceptions: a, b"), "Multiple exceptions: a, b"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "tls failed"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_a_reason_is_the_systems(error: Exception, why: str) -> None:
    assert reason_of(error) == why


def test_the_page_names_every_line_of_the_log() -> None:
    sources = (Path(__file__).parents[3] / "sensor" / "taps" / "relay").rglob("*.py")
    told = {name for each in sources for name in re.findall(r'tell\(\s*"([a-z_]+)"', each.read_text())}
    told |= {"client_tls_failed", "next_hop_tls_failed"}
    page = DOCS.read_text()
    assert len(told) >= 10
    assert [name for name in sorted(told) if f"`relay_{name}`" not in page] == []
