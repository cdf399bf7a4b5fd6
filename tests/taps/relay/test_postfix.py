"""Mail through the relay to a real Postfix: what passes, what it is called, and what Postfix thinks of its client."""

from collections.abc import Iterator

import pytest

from tests.taps.relay.postfix import Postfix, postfix
from tests.taps.relay.relaying import LOOPS, Client, relaying

CONTENT = b"Message-ID: <%s@corp.example>\r\nSubject: Fwd: plans\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postfix]:
    with postfix(tmp_path_factory.mktemp("postfix")) as running:
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
