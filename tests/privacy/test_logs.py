"""Every line of the log passes the veil, whoever writes it."""

import io

from sensor.log import Log, hiding
from sensor.privacy import Names, PseudonymVeil
from sensor.pseudonym import Key, KeyRing, Pseudonyms

PSEUDONYMS = Pseudonyms(KeyRing([Key(b"k" * 32)]))
VEIL = PseudonymVeil(Names(PSEUDONYMS))


def test_an_address_in_a_log_becomes_a_pseudonym_once() -> None:
    out = io.StringIO()
    log = Log(out)
    with hiding(VEIL.log), hiding(VEIL.log):
        log.error("worker_died", why="ValueError: <fay@corp.example>: no such user", path="/srv/captures/1.pcap")
    line = out.getvalue()
    assert "fay" not in line
    assert "path=/srv/captures/1.pcap" in line
    assert "<fay@corp.example>: no such user" in PSEUDONYMS.reveal_all(line)


def test_a_log_outside_is_as_ever() -> None:
    out = io.StringIO()
    with hiding(VEIL.log):
        pass
    Log(out).info("told", to="fay@corp.example")
    assert out.getvalue() == "info told to=fay@corp.example\n"
