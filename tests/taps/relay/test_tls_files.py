"""Files that are no certificates: the message says what is wrong with them, not where in OpenSSL."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor.log import Log
from sensor.settings import RelaySettings
from sensor.taps.base import TapError
from sensor.taps.relay.tls import client_certificate, next_hop_context
from tests.taps.relay.certificates import certificate


def test_what_is_wrong_with_a_file_is_said_in_words(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    wrong.chmod(0o600)  # it stands for the key, too, and a key that others may read is refused for that
    cert, _ = certificate(tmp_path, "one")
    _, other_key = certificate(tmp_path, "two")
    for cert_file, key_file, words in (
        (wrong, "", "there is nothing in it that can be used"),
        (cert, other_key, "certificate and key are no pair"),
        (tmp_path / "none.pem", "", "No such file or directory"),
    ):
        settings = RelaySettings(tls="may", tls_cert_file=str(cert_file), tls_key_file=str(key_file))
        with pytest.raises(TapError, match=words):
            client_certificate(settings, Log())
    with pytest.raises(TapError, match="there is nothing in it that can be used"):
        next_hop_context(RelaySettings(next_hop_tls="require", next_hop_ca_file=str(wrong)))
