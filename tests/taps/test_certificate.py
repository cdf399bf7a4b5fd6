"""A certificate that is renewed while it is in use: each handshake has a whole one, the newest that there is."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from pathlib import Path

import pytest

from sensor.log import Log
from sensor.taps.base import TapError
from sensor.taps.certificate import Certificate
from tests.taps.relay.certificates import certificate
from tests.taps.relay.next_hop import next_hop
from tests.taps.relay.relaying import LOOPS, Client, relaying


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shown_by(context: ssl.SSLContext) -> bytes:
    """What a client is shown in a handshake."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with context.wrap_socket(theirs, server_side=True) as secured:
            secured.recv(1)

    server = threading.Thread(target=serve)
    server.start()
    with unverified().wrap_socket(ours) as client:
        shown = client.getpeercert(binary_form=True)
    server.join(10)
    return shown or b""


def put(pair: tuple[Path, Path], cert: Path, key: Path) -> None:
    """Have the files of *pair* hold what the others do, as new files."""
    for source, target in zip(pair, (cert, key), strict=True):
        new = target.with_name("new")
        new.write_bytes(source.read_bytes())
        new.chmod(0o600)
        new.replace(target)


def test_the_newest_pair_is_shown_and_half_a_pair_never(tmp_path: Path) -> None:
    one, two = certificate(tmp_path, "one"), certificate(tmp_path, "two")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    put(one, cert, key)
    told = io.StringIO()
    shown = Certificate(str(cert), str(key), Log(told), tap="relay", named="relay.tls_cert_file")
    first = shown_by(shown.context())
    # A renewal writes one file after the other, and a client may come between.
    put((two[0], one[1]), cert, key)
    assert shown_by(shown.context()) == first
    assert shown_by(shown.context()) == first
    assert told.getvalue() == 'error relay_certificate_not_reloaded why="certificate and key are no pair"\n'
    put(two, cert, key)
    assert shown_by(shown.context()) not in (first, b"")
    assert told.getvalue().endswith("info relay_certificate_reloaded\n")
    key.unlink()
    assert shown_by(shown.context()) not in (first, b"")
    for _ in range(3):
        shown.context()
    assert told.getvalue().count("No such file") == 1


def test_files_that_can_not_be_used_from_the_start_are_named(tmp_path: Path) -> None:
    with pytest.raises(TapError, match=r"relay\.tls_cert_file can't be used: No such file"):
        Certificate(str(tmp_path / "no.pem"), "", Log(io.StringIO()), tap="relay", named="relay.tls_cert_file")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_relay_shows_a_renewed_certificate_to_its_next_client(loop: str, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    seen = []
    put(certificate(tmp_path, "one"), cert, key)
    with (
        next_hop() as server,
        relaying(server.port, event_loop=loop, tls="may", tls_cert_file=str(cert), tls_key_file=str(key)) as relay,
    ):
        for _ in range(2):
            with Client(relay.port) as client:
                client.hello()
                assert client.ask(b"STARTTLS") == 220
                client.socket = secured = unverified().wrap_socket(client.socket)
                seen.append(secured.getpeercert(binary_form=True))
            put(certificate(tmp_path, "two"), cert, key)
    assert seen[0] != seen[1]
