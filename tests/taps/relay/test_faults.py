"""
What a client hears when its next hop fails, at each stage; what a next hop keeps when its client does. This is the
table of docs/relay.md.
"""

from __future__ import annotations

import socket
import struct
import time

import pytest

from tests.service import free_port
from tests.taps.relay.next_hop import CLOSE, RESET, SILENT, Fault, next_hop
from tests.taps.relay.relaying import LOOPS, Client, relaying

CONTENT = b"Message-ID: <one@corp.example>\r\nSubject: a\r\n\r\nbody\r\n"


def codes_of(client: Client) -> list[int]:
    """The codes of a session that sends one mail and does not look at what it hears; 0 at its end."""
    codes = [client.reply()]
    for command in (
        b"EHLO client.partner.example",
        b"MAIL FROM:<a@corp.example>",
        b"RCPT TO:<b@corp.example>",
        b"DATA",
    ):
        if codes[-1] in (0, 421, 554):
            break
        codes.append(client.ask(command))
    if codes[-1] == 354:
        client.send(CONTENT + b".\r\n")
        codes.append(client.reply())
        if codes[-1]:
            codes.append(client.ask(b"QUIT"))
    return codes


UP_TO_DATA = [220, 250, 250, 250, 354]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("faults", "codes", "kept"),
    [
        ({}, [*UP_TO_DATA, 250, 221], 1),
        ({"connect": RESET}, [421], 0),
        ({"connect": CLOSE}, [421], 0),
        ({"banner": b"554 5.7.1 Go away\r\n"}, [554], 0),
        ({"banner": b"421 4.3.2 Busy\r\n"}, [421], 0),
        ({"banner": 0.2}, [*UP_TO_DATA, 250, 221], 1),
        ({"banner": SILENT}, [421], 0),
        ({"EHLO": RESET}, [220, 421], 0),
        ({"MAIL": b"452 4.3.1 Full\r\n"}, [220, 250, 452, 250, 354, 250, 221], 1),
        ({"MAIL": SILENT}, [220, 250, 421], 0),
        ({"RCPT": b"550 5.1.1 Nobody\r\n"}, [220, 250, 250, 550, 354, 250, 221], 1),
        ({"RCPT": b"421 4.3.2 Bye\r\n"}, [220, 250, 250, 421], 0),
        ({"RCPT": RESET}, [220, 250, 250, 421], 0),
        ({"DATA": b"554 5.5.1 No valid recipients\r\n"}, [220, 250, 250, 250, 554], 0),
        ({"DATA": b"451 4.3.0 Later\r\n"}, [220, 250, 250, 250, 451], 0),
        ({"DATA": RESET}, [220, 250, 250, 250, 421], 0),
        ({"DATA": SILENT}, [220, 250, 250, 250, 421], 0),
        ({"content": RESET}, [*UP_TO_DATA, 451, 221], 0),
        ({"content": b"452 4.3.1 Disk is full\r\n"}, [*UP_TO_DATA, 452, 221], 0),
        ({"content": SILENT}, [*UP_TO_DATA, 451, 221], 0),
        ({"dot": b"550 5.7.1 Spam\r\n"}, [*UP_TO_DATA, 550, 221], 0),
        ({"dot": b"452 4.2.2 Full\r\n"}, [*UP_TO_DATA, 452, 221], 0),
        ({"dot": RESET}, [*UP_TO_DATA, 451, 221], 0),
        ({"dot": SILENT}, [*UP_TO_DATA, 451, 221], 0),
        ({"dot": 0.3}, [*UP_TO_DATA, 250, 221], 1),
        ({"committed": RESET}, [*UP_TO_DATA, 451, 221], 1),
        ({"committed": SILENT}, [*UP_TO_DATA, 451, 221], 1),
        ({"committed": b"250-" + b"x" * 2_000_000 + b"\r\n250 2.0.0 Ok\r\n"}, [*UP_TO_DATA, 250, 221], 1),
        ({"committed": b"250-more\r\n" * 200_000 + b"250 2.0.0 Ok\r\n"}, [*UP_TO_DATA, 250, 221], 1),
        ({"committed": b"250-more\r\n" * 500_000}, [*UP_TO_DATA, 451, 221], 1),
        ({"committed": b"What?\r\n"}, [*UP_TO_DATA, 451, 221], 1),
        ({"QUIT": CLOSE}, [*UP_TO_DATA, 250, 221], 1),
    ],
    ids=lambda value: str(value)[:48],
)
def test_what_a_client_hears(faults: dict[str, Fault], codes: list[int], kept: int, loop: str) -> None:
    with (
        next_hop(faults) as server,
        relaying(server.port, reply_timeout_s=1.0, client_timeout_s=10.0, event_loop=loop) as relay,
        Client(relay.port) as client,
    ):
        assert codes_of(client) == codes
        assert len(server.kept) == kept
        if codes[-1] == 221:
            assert client.at_end()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_next_hop_that_is_down_is_421(loop: str) -> None:
    with relaying(free_port(), event_loop=loop) as relay, Client(relay.port) as client:
        assert (client.reply(), client.text[:10]) == (421, b"421 4.3.2 ")
        assert client.at_end()
        assert relay.count("next_hop_failed") == 1


def test_a_next_hop_that_does_not_answer_at_all_is_421() -> None:
    # A listener whose queue is full takes no more connections and refuses none.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with relaying(port, connect_timeout_s=0.5) as relay, Client(relay.port) as client:
            assert client.reply() == 421
        for each in fillers:
            each.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"EHLO c\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: a\r\n\r\nbody",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: a\r\n\r\nbody\r\n.",
    ],
    ids=["connected", "greeted", "MAIL", "DATA", "content", "half a dot"],
)
def test_a_client_gone_before_its_dot_leaves_nothing(said: bytes, reset: bool, loop: str) -> None:
    with next_hop() as server, relaying(server.port, event_loop=loop) as relay:
        with Client(relay.port) as client:
            assert client.reply() == 220
            client.send(said)
            for _ in range(said.count(b"\r\n") if b"DATA" not in said else 4):
                client.reply()
            if reset:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        relay.stop()
        assert server.kept == []
        assert all(mail.outcome == "aborted" for mail in relay.transactions)
        assert bool(relay.transactions) == (b"MAIL" in said)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_gone_after_its_dot_has_sent_it_once_and_the_record_says_so(loop: str) -> None:
    with next_hop(commit_s=0.3) as server, relaying(server.port, event_loop=loop) as relay:
        with Client(relay.port) as client:
            client.hello()
            for command in (b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA"):
                client.ask(command)
            client.send(CONTENT + b".\r\n")
            deadline = time.monotonic() + 5
            while relay.count("mails_passed") == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
        relay.stop()
        assert len(server.kept) == 1
        (mail,) = relay.transactions
        assert mail.outcome == "delivered"


def test_a_client_that_is_silent_is_let_go() -> None:
    with next_hop() as server, relaying(server.port, client_timeout_s=1.0) as relay, Client(relay.port) as client:
        client.hello()
        assert (client.reply(), client.text[:9]) == (421, b"421 4.4.2")
        assert client.at_end()


def test_a_slow_client_is_not_a_silent_one() -> None:
    with next_hop() as server, relaying(server.port, client_timeout_s=1.0) as relay, Client(relay.port) as client:
        client.hello()
        for octet in b"NOOP":
            client.send(bytes([octet]))
            time.sleep(0.4)
        assert client.ask(b"") == 250


def test_mail_flows_while_the_observer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with next_hop() as server, relaying(server.port) as relay:

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("observer")

        monkeypatch.setattr(relay.tap.core, "feed", fail)
        with Client(relay.port) as client:
            client.hello()
            assert client.mail(CONTENT) == 250
            assert client.ask(b"QUIT") == 221
        assert len(server.kept) == 1
        assert relay.count("observer_failures") == 1


@pytest.mark.parametrize("bad", [b"MAIL FROM:<a@b>\nRCPT TO:<c@d>\n", b"NOOP\n"])
def test_bare_newlines_in_commands_are_521_however_much_follows(bad: bytes) -> None:
    with next_hop() as server, relaying(server.port) as relay, Client(relay.port) as client:
        client.hello()
        # What is not read when a connection closes resets it, and could take the reply along.
        client.send(bad + b"NOOP\r\n" * 100_000)
        assert client.reply() == 521
        assert client.at_end()
