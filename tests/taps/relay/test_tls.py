"""TLS on both legs: ours with the client, ours with the next hop, and no octet of one that counts in the other."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensor.log import Log
from sensor.settings import RelaySettings
from sensor.taps.base import TapError
from sensor.taps.relay.tls import client_certificate, next_hop_context
from tests.postfix import Postfix, postfix
from tests.taps.relay.certificates import certificate
from tests.taps.relay.next_hop import next_hop
from tests.taps.relay.relaying import LOOPS, Client, relaying

CONTENT = b"Message-ID: <%s@corp.example>\r\nSubject: a\r\n\r\nbody\r\n"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("certificates"), "mx.corp.example")


@pytest.fixture(scope="module")
def server(pair: tuple[Path, Path]) -> Iterator[Postfix]:
    cert, key = pair
    with tempfile.TemporaryDirectory(prefix="mailsensor-certificates-") as name:
        # Where Postfix's own users reach them.
        home = Path(name)
        home.chmod(0o755)
        for each in pair:
            (home / each.name).write_bytes(each.read_bytes())
        changes = {
            "smtpd_tls_security_level": "may",
            "smtpd_tls_loglevel": "1",
            "smtpd_tls_cert_file": str(home / cert.name),
            "smtpd_tls_key_file": str(home / key.name),
        }
        with postfix(changes) as running:
            yield running


def start_tls(client: Client) -> None:
    """STARTTLS, and the handshake."""
    assert client.ask(b"STARTTLS") == 220, client.text
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.socket = context.wrap_socket(client.socket)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("next_hop_tls", ["off", "may", "require"])
def test_mail_passes_under_tls_on_both_legs_and_is_seen(
    next_hop_tls: str, loop: str, server: Postfix, pair: tuple[Path, Path]
) -> None:
    cert, key = map(str, pair)
    with relaying(
        server.port,
        tls="require",
        tls_cert_file=cert,
        tls_key_file=key,
        next_hop_tls=next_hop_tls,
        next_hop_ca_file=cert,
        next_hop_tls_name="mx.corp.example",
        event_loop=loop,
    ) as relay:
        name = f"{next_hop_tls}-{loop}"
        with Client(relay.port) as client:
            client.hello()
            assert b"STARTTLS" in client.text
            assert client.ask(b"MAIL FROM:<a@corp.example>") == 530
            start_tls(client)
            assert client.ask(b"EHLO client.partner.example") == 250
            assert b"STARTTLS" not in client.text
            assert client.mail(CONTENT % name.encode()) == 250
            assert client.ask(b"QUIT") == 221
        server.until(f"<{name}@corp.example>")
        relay.stop()
        assert relay.count("tls_clients") == 1
        assert relay.count("tls_next_hops") == (next_hop_tls != "off")
    refused, mail = relay.transactions
    assert refused.outcome == "rejected"
    assert mail.session is not None
    assert (mail.session.tls, mail.outcome) == (True, "delivered")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_next_hop_that_is_not_who_it_should_be_gets_nothing(
    loop: str, server: Postfix, pair: tuple[Path, Path]
) -> None:
    for wrong in ({"next_hop_tls_name": "mx.other.example", "next_hop_ca_file": str(pair[0])}, {}):
        settings: dict[str, Any] = {"next_hop_tls": "require", "event_loop": loop, **wrong}
        with relaying(server.port, **settings) as relay:
            with Client(relay.port) as client:
                assert client.reply() == 421
            assert relay.count("tls_next_hop_failures") == 1


def test_a_next_hop_without_tls_gets_nothing_where_it_is_required() -> None:
    with next_hop() as plain, relaying(plain.port, next_hop_tls="require") as relay, Client(relay.port) as client:
        assert (client.reply(), client.text[:10]) == (421, b"421 4.7.4 ")


def test_a_key_that_everybody_can_read_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = (Path(shutil.copy(path, tmp_path / path.name)) for path in pair)
    key.chmod(0o644)
    settings = RelaySettings(tls="may", tls_cert_file=str(cert), tls_key_file=str(key))
    with pytest.raises(TapError, match=r"everybody may read or write this key \(mode 0644\); chmod o-rw"):
        client_certificate(settings, Log())
    key.chmod(0o640)
    assert client_certificate(settings, Log()) is not None


@pytest.mark.parametrize("loop", LOOPS)
def test_commands_injected_behind_starttls_are_refused(loop: str, pair: tuple[Path, Path]) -> None:
    cert, key = map(str, pair)
    with (
        next_hop() as plain,
        relaying(plain.port, tls="may", tls_cert_file=cert, tls_key_file=key, event_loop=loop) as relay,
        Client(relay.port) as client,
    ):
        client.hello()
        client.send(b"STARTTLS\r\nMAIL FROM:<evil@corp.example>\r\n")
        assert client.reply() == 554
        assert client.at_end()
        assert relay.count("tls_injections") == 1
        assert not any(line.startswith(b"MAIL") for line in plain.heard)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_fails_its_handshake_is_let_go(loop: str, pair: tuple[Path, Path]) -> None:
    cert, key = map(str, pair)
    with (
        next_hop() as plain,
        relaying(plain.port, tls="may", tls_cert_file=cert, tls_key_file=key, event_loop=loop) as relay,
    ):
        with Client(relay.port) as client:
            client.hello()
            assert client.ask(b"STARTTLS") == 220
            client.send(b"MAIL FROM:<evil@corp.example>\r\n" * 10)
            while client.socket.recv(4_096):
                pass
        relay.stop()
        assert relay.count("tls_client_failures") == 1


def test_files_that_are_no_certificates_are_told_before_anything_runs(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for settings in (
        RelaySettings(tls="may"),
        RelaySettings(tls="may", tls_cert_file=str(wrong)),
        RelaySettings(tls="may", tls_cert_file=str(tmp_path / "none.pem")),
    ):
        with pytest.raises(TapError, match=r"relay\.tls"):
            client_certificate(settings, Log())
    with pytest.raises(TapError, match=r"relay\.next_hop_ca_file"):
        next_hop_context(RelaySettings(next_hop_tls="require", next_hop_ca_file=str(wrong)))
