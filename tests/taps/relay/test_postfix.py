"""Mail through the relay to a real Postfix: what passes, what it is called, and what Postfix thinks of its client."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postfix import Postfix, postfix
from tests.service import free_port
from tests.taps.relay.certificates import certificate
from tests.taps.relay.relaying import LOOPS, Client, relaying

CONTENT = b"Message-ID: <%s@corp.example>\r\nSubject: Fwd: plans\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Postfix]:
    with postfix() as running:
        yield running


@pytest.mark.parametrize("loop", LOOPS)
def test_mail_passes_and_is_seen(server: Postfix, loop: str) -> None:
    with relaying(server.port, event_loop=loop) as relay:
        with Client(relay.port) as client:
            assert client.hello() == 250
            offered = client.text
            assert client.mail(CONTENT % loop.encode()) == 250
            assert b"queued as" in client.text
            assert client.ask(b"QUIT") == 221
            assert client.at_end()
        server.until(f"<{loop}@corp.example>")
        relay.stop()
    assert b"PIPELINING" in offered
    assert b"CHUNKING" not in offered
    (mail,) = relay.transactions
    assert (mail.outcome, mail.reverse_path) == ("delivered", "ann@corp.example")
    assert mail.header is not None
    assert mail.header.message_id == f"{loop}@corp.example"
    assert [path.address for path in mail.forward_paths] == ["bob@corp.example"]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_postfix_sends_its_queue_through_the_relay_under_tls(server: Postfix, loop: str, tmp_path: Path) -> None:
    """What a real client does: pipelined commands, STARTTLS, several mails over one connection."""
    cert, key = certificate(tmp_path, "relay.corp.example")
    port = free_port()
    changes = {
        "virtual_mailbox_domains": "",
        "relayhost": f"[127.0.0.1]:{port}",
        "smtp_tls_security_level": "encrypt",
        "smtp_connection_cache_on_demand": "yes",
    }
    with (
        relaying(
            server.port,
            listen=f"127.0.0.1:{port}",
            tls="require",
            tls_cert_file=str(cert),
            tls_key_file=str(key),
            event_loop=loop,
        ) as relay,
        postfix(changes) as front,
    ):
        with Client(front.port) as client:
            client.hello()
            for number in range(20):
                assert (
                    client.mail(
                        CONTENT % (b"queued-%d" % number), recipients=[b"bob@corp.example", b"eve@corp.example"]
                    )
                    == 250
                )
        front.until("status=sent (250 2.0.0 Ok: queued as", times=40)
        relay.stop()
    assert relay.count("mails_taken") == 20
    delivered = [mail for mail in relay.transactions if mail.outcome == "delivered"]
    assert len(delivered) == 20
    assert {mail.session.tls for mail in delivered} == {True}
    assert sum(len(mail.forward_paths) for mail in delivered) == 40
