"""The pieces of master.cf and of settings that are shipped, with a real Postfix: but for ports and chroot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import pytest

from sensor.settings import InlineRule, RelaySettings, load_settings
from tests.postfix import Postfix, postfix
from tests.service import free_port
from tests.taps.relay.relaying import Client, Relay, relaying

SHIPPED = Path(__file__).parents[3] / "deploy" / "postfix"
CONTENT = b"Message-ID: <%s@corp.example>\r\nSubject: a\r\n\r\nHello\r\n"
FORWARD = (
    b"X-MS-Exchange-Inbox-Rules-Loop: ann@corp.example\r\nFrom: sue@other.example\r\nTo: ann@corp.example\r\n"
    b"Message-ID: <forward@other.example>\r\nSubject: a\r\n\r\nHello\r\n"
)
REJECT = InlineRule(name="no", action="reject", reply=(550, "5.7.1", "Not from here"))


def shipped(name: str, ports: Mapping[str, int]) -> tuple[str, RelaySettings]:
    """Lines of master.cf, and the settings of the relay, as they are shipped but for *ports*."""
    relay = load_settings(str(SHIPPED / f"{name}.toml"), {}, known_limits=()).relay
    here = replace(
        relay, listen=f"127.0.0.1:{ports[relay.listen]}", next_hop=f"127.0.0.1:{ports[relay.next_hop]}", drain_s=5.0
    )
    # The test's Postfix has no chroot furnished.
    master = re.sub(r"(?m)^(\S+ +inet +n +- +)y ", r"\1n ", (SHIPPED / f"{name}.master").read_text())
    for place, port in ports.items():
        master = re.sub(rf"(?m)^{re.escape(place)}(?=\s)", f"127.0.0.1:{port}", master)
        master = master.replace(f"={place}\n", f"=127.0.0.1:{port}\n")
    return master, here


@contextmanager
def joined(name: str, ports: Mapping[str, int], *rules: InlineRule) -> Iterator[tuple[Postfix, Relay]]:
    master, settings = shipped(name, ports)
    how = {each.name: getattr(settings, each.name) for each in fields(settings)}
    with postfix(more=master) as server, relaying(how.pop("next_hop"), rules=rules, **how) as relay:
        yield server, relay


def test_in_front_of_an_mx_postfix_goes_by_the_true_client() -> None:
    ports = {"0.0.0.0:25": free_port(), "127.0.0.1:10025": free_port()}
    with joined("relay_front", ports) as (server, relay):
        with Client(relay.port, source="127.0.0.9") as client:
            client.hello()
            assert client.mail(CONTENT % b"front") == 250
            assert client.ask(b"QUIT") == 221
        server.until("<front@corp.example>")
        server.until("postfix/behind/smtpd")
        server.until("client=unknown[127.0.0.9]")
        relay.stop()
    assert relay.transactions[0].session.client_ip == "127.0.0.9"


def test_a_port_that_believes_headers_is_closed_to_the_world() -> None:
    for name in ("relay_front", "relay_filter"):
        behind = [line for line in (SHIPPED / f"{name}.master").read_text().splitlines() if "10025" in line]
        assert all(line.startswith("127.0.0.1:") for line in behind)


@pytest.mark.parametrize("content", [CONTENT % b"filter", FORWARD], ids=["plain", "forward"])
def test_before_the_queue_mail_passes_and_a_refusal_reaches_the_client(content: bytes) -> None:
    ports = {"smtp": free_port(), "127.0.0.1:10024": free_port(), "127.0.0.1:10025": free_port()}
    with joined("relay_filter", ports, REJECT) as (server, relay):
        is_forward = content == FORWARD
        with Client(ports["smtp"], source="127.0.0.9") as client:
            # A mail store of the organisation: what a stranger's host brings shows nothing of our mailboxes.
            assert (client.reply(), client.ask(b"EHLO store.corp.example")) == (220, 250)
            assert client.mail(content, recipients=[b"drop@corp.example"]) == (550 if is_forward else 250)
            assert (b"Not from here" in client.text) is is_forward
            # The session goes on: Postfix has another connection for each mail.
            assert client.mail(CONTENT % b"second") == 250
        server.until("<second@corp.example>")
        server.until("orig_client=unknown[127.0.0.9]")
        relay.stop()
    assert {each.session.client_ip for each in relay.transactions} == {"127.0.0.9"}


def test_while_the_filter_is_away_clients_hear_451() -> None:
    ports = {"smtp": free_port(), "127.0.0.1:10024": free_port(), "127.0.0.1:10025": free_port()}
    master, _ = shipped("relay_filter", ports)
    with postfix(more=master), Client(ports["smtp"]) as client:
        client.hello()
        assert client.ask(b"MAIL FROM:<ann@corp.example>") in (250, 451)
        assert client.ask(b"RCPT TO:<bob@corp.example>") in (451, 503)
