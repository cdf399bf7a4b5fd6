"""Who the client is: heard from those who may say so, told to a Postfix that shows in its log what it understood."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.taps.relay import proxy, session
from sensor.taps.relay.identity import Identity, xclient, xforward
from tests.postfix import Postfix, postfix
from tests.service import free_port
from tests.taps.relay.next_hop import next_hop
from tests.taps.relay.relaying import LOOPS, Client, relaying

LOCAL = (ip_network("127.0.0.0/8"),)
CONTENT = b"Message-ID: <%s@corp.example>\r\nSubject: a\r\n\r\nbody\r\n"
V4 = Identity(("192.0.2.7", 2525), ("198.51.100.25", 25))
V6 = Identity(("2001:db8::7", 2525), ("2001:db8::25", 25))


# ---- headers and commands


@pytest.mark.parametrize(
    ("identity", "v1"),
    [
        (V4, b"PROXY TCP4 192.0.2.7 198.51.100.25 2525 25\r\n"),
        (V6, b"PROXY TCP6 2001:db8::7 2001:db8::25 2525 25\r\n"),
    ],
)
def test_headers_read_as_they_were_written_however_they_are_cut(identity: Identity, v1: bytes) -> None:
    assert proxy.v1(identity) == v1
    for header in (v1, proxy.v2(identity)):
        for cut in range(len(header)):
            assert proxy.parse(header[:cut]) is None
        assert proxy.parse(header + b"EHLO x\r\n") == proxy.Header(identity, len(header))


def test_two_families_become_one() -> None:
    mixed = Identity(("192.0.2.7", 1), ("2001:db8::25", 2))
    assert proxy.v1(mixed) == b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::25 1 2\r\n".replace(
        b"::ffff:192.0.2.7", b"::ffff:c000:207"
    )
    assert proxy.parse(proxy.v2(mixed)) is not None


SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        SIGNATURE + b"\x20\x00\x00\x00",
        SIGNATURE + b"\x20\x11\x00\x02ab",
        SIGNATURE + b"\x21\x00\x00\x00",
        SIGNATURE + b"\x21\x31\x00\x04abcd",
    ],
)
def test_a_proxy_that_names_nobody_speaks_for_itself(header: bytes) -> None:
    assert proxy.parse(header + b"EHLO x\r\n") == proxy.Header(None, len(header))


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO x\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.25 2525\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.25 2525 70000\r\n",
        b"PROXY TCP4 192.0.2.7 2001:db8::25 2525 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.256 2525 25\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.25 2525 25\r\n",
        b"PROXY TCP4 " + b"1" * 120,
        b"PROXY\r\n",
        SIGNATURE + b"\x31\x11\x00\x0c" + b"\0" * 12,
        SIGNATURE + b"\x22\x11\x00\x0c" + b"\0" * 12,
        SIGNATURE + b"\x21\x11\x00\x0b" + b"\0" * 11,
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_wrong_headers_are_refused(octets: bytes) -> None:
    with pytest.raises(proxy.ProxyError):
        proxy.parse(octets)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=40).map(SIGNATURE.__add__),
        st.text().map(lambda text: b"PROXY " + text.encode()),
    )
)
def test_any_octets_are_a_header_or_none_or_wrong(octets: bytes) -> None:
    try:
        header = proxy.parse(octets)
    except proxy.ProxyError:
        return
    assert header is None or 0 < header.used <= len(octets)


@pytest.mark.parametrize(
    ("identity", "offered", "command"),
    [
        (V4, b"NAME ADDR PORT", b"XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=2525\r\n"),
        (
            V6,
            b"ADDR PORT DESTADDR DESTPORT LOGIN",
            b"XCLIENT ADDR=IPV6:2001:db8::7 PORT=2525 DESTADDR=IPV6:2001:db8::25 DESTPORT=25\r\n",
        ),
        (Identity(("::ffff:192.0.2.7", 1), ("::1", 2)), b"addr", b"XCLIENT ADDR=192.0.2.7\r\n"),
    ],
)
def test_xclient_tells_what_was_offered(identity: Identity, offered: bytes, command: bytes) -> None:
    assert xclient(identity, offered) == command


def test_xforward_tells_what_was_offered() -> None:
    assert xforward(V4, b"NAME ADDR PORT PROTO HELO SOURCE") == b"XFORWARD ADDR=192.0.2.7 PORT=2525 SOURCE=REMOTE\r\n"


# ---- a Postfix that hears of the client

HAPROXY, BEHIND = free_port(), free_port()


@pytest.fixture(scope="module")
def server() -> Iterator[Postfix]:
    changes = {"smtpd_authorized_xclient_hosts": "127.0.0.0/8", "smtpd_authorized_xforward_hosts": "127.0.0.0/8"}
    more = f"127.0.0.1:{HAPROXY} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy"
    with postfix(changes, more) as running:
        yield running


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ("none", "client=unknown[127.0.0.1]"),
        ("proxy1", "client=unknown[127.0.0.9]"),
        ("proxy2", "client=unknown[127.0.0.9]"),
        ("xclient", "client=unknown[127.0.0.9]"),
        ("xforward", "orig_client=unknown[127.0.0.9]"),
    ],
)
def test_postfix_hears_of_the_true_client(identity: str, told: str, loop: str, server: Postfix) -> None:
    port = HAPROXY if identity.startswith("proxy") else server.port
    before = server.log.count(told)
    with relaying(port, identity=identity, event_loop=loop) as relay:
        with Client(relay.port, source="127.0.0.9") as client:
            client.hello()
            assert client.mail(CONTENT % f"{identity}-{loop}".encode()) == 250
            assert client.ask(b"QUIT") == 221
        server.until(f"<{identity}-{loop}@corp.example>")
        server.until(told, before + 1)
        relay.stop()
    (mail,) = relay.transactions
    assert mail.session is not None
    assert mail.session.client_ip == "127.0.0.9"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("write", [proxy.v1, proxy.v2], ids=["v1", "v2"])
def test_trusted_peers_tell_of_their_clients_by_a_header(write: object, loop: str, server: Postfix) -> None:
    assert callable(write)
    before = server.log.count("client=unknown[192.0.2.7]")
    with relaying(HAPROXY, identity="proxy2", trusted_peers=LOCAL, proxy_protocol=True, event_loop=loop) as relay:
        with Client(relay.port) as client:
            client.send(write(V4) + b"EHLO client.partner.example\r\n")
            assert [client.reply(), client.reply()] == [220, 250]
            assert client.mail(CONTENT % b"proxied") == 250
        server.until("client=unknown[192.0.2.7]", before + 1)
        relay.stop()
        assert relay.count("proxy_headers") == 1
    (mail,) = relay.transactions
    assert mail.session is not None
    assert mail.session.client_ip == "192.0.2.7"


@pytest.mark.parametrize("said", [b"EHLO client\r\n", b"PROXY TCP4 nonsense\r\n", b""], ids=repr)
def test_a_trusted_peer_without_its_header_is_not_served(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PROXY_TIMEOUT_S", 0.3)
    with (
        next_hop() as server,
        relaying(server.port, trusted_peers=LOCAL, proxy_protocol=True) as relay,
        Client(relay.port) as client,
    ):
        client.send(said)
        assert client.at_end()
        assert relay.count("proxy_headers_refused") == 1
        assert server.connections == 0


def test_strangers_tell_nothing() -> None:
    with next_hop() as server, relaying(server.port, proxy_protocol=True) as relay, Client(relay.port) as client:
        assert client.reply() == 220
        assert client.ask(b"PROXY TCP4 192.0.2.7 198.51.100.25 2525 25") == 554
        assert client.at_end()
        assert server.heard == []


def test_trusted_peers_tell_of_their_clients_by_xclient(server: Postfix) -> None:
    before = server.log.count("client=unknown[192.0.2.8]")
    with relaying(server.port, trusted_peers=LOCAL) as relay:
        with Client(relay.port) as client:
            client.hello()
            assert b"XCLIENT" in client.text
            assert client.ask(b"XCLIENT ADDR=192.0.2.8 NAME=[UNAVAILABLE]") == 220
            assert client.ask(b"EHLO client.partner.example") == 250
            assert client.mail(CONTENT % b"by-xclient") == 250
        server.until("client=unknown[192.0.2.8]", before + 1)
        relay.stop()
    (mail,) = relay.transactions
    assert mail.session is not None
    assert mail.session.client_ip == "192.0.2.8"


def test_behind_a_postfix_that_filters_before_its_queue_the_true_client_is_passed_on(server: Postfix) -> None:
    """Client, Postfix, relay, Postfix: the first tells the relay by XFORWARD, which the relay passes on."""
    changes = {"smtpd_proxy_filter": f"127.0.0.1:{BEHIND}", "smtpd_proxy_timeout": "10s"}
    with (
        postfix(changes) as front,
        relaying(server.port, listen=f"127.0.0.1:{BEHIND}", trusted_peers=LOCAL) as relay,
    ):
        with Client(front.port, source="127.0.0.9") as client:
            client.hello()
            assert client.mail(CONTENT % b"filtered") == 250
        server.until("<filtered@corp.example>")
        server.until("orig_client=unknown[127.0.0.9]")
        relay.stop()
    (mail,) = relay.transactions
    assert mail.session is not None
    assert (mail.session.client_ip, mail.outcome) == ("127.0.0.9", "delivered")
