"""``mailsensor milter`` and ``mailsensor run`` as an admin meets them: what they say, and what a reload changes."""

from __future__ import annotations

import re
import signal
import socket
import struct
from pathlib import Path

import pytest

from sensor.settings import load_settings
from tests import service
from tests.running import ROOT, mailsensor
from tests.service import Service
from tests.taps.milter.packets import connect, header, helo, mail, offer, rcpt
from tests.taps.milter.packets import end_of_message as end
from tests.taps.milter.serving import serving

RULE = '[[inline.rule]]\nname = "one"\naction = "{action}"\nkind = "none"\n'


def settings(folder: Path, *, action: str, listen: str | None = None) -> str:
    """The sections that ``running`` adds, with a milter."""
    address = listen or f"unix:{folder}/milter.sock"
    return f'[milter]\nlisten = ["{address}"]\nsocket_access = "owner"\n' + RULE.format(action=action)


def answer_of(folder: Path, subject: str) -> bytes:
    """The command that answers the end of a mail sent by an MTA of the test's own."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(folder / "milter.sock"))
        client.sendall(offer())
        _receive(client)
        client.sendall(connect() + helo() + mail() + rcpt() + header("Subject", f" {subject}") + end())
        return _receive(client)


def _receive(client: socket.socket) -> bytes:
    """The first packet's command; whatever came with it is passed over."""
    octets = b""
    while len(octets) < 4 or len(octets) < 4 + struct.unpack_from(">I", octets)[0]:
        piece = client.recv(4_096)
        assert piece
        octets += piece
    return octets[4:5]


def test_a_service_serves_as_a_milter_and_counts(tmp_path: Path) -> None:
    with service.running(tmp_path, settings(tmp_path, action="defer")) as sensor:
        assert answer_of(tmp_path, "one") == b"y"
        sensor.until(lambda: sensor.metric("mailsensor_transactions_total", outcome="deferred") == 1, "the mail")
        assert sensor.metric("mailsensor_milter_mails_total", worker="milter") == 1
        assert sensor.metric("mailsensor_inline_judged_total", worker="milter") == 1
        assert sensor.metric("mailsensor_worker_up", worker="milter") == 1
        assert sensor.end() == 0
    assert not (tmp_path / "milter.sock").exists()


def test_a_reload_changes_rules_and_addresses_while_mail_goes_on(tmp_path: Path) -> None:
    """Again and again on the same socket, and once onto another one."""
    with service.running(tmp_path, settings(tmp_path, action="defer")) as sensor:
        for number, (action, answer) in enumerate({"tag": b"i", "observe": b"c", "reject": b"y"}.items(), 1):
            _reload(sensor, settings(tmp_path, action=action), number)
            assert answer_of(tmp_path, action) == answer
        other = f"unix:{tmp_path}/other.sock"
        _reload(sensor, settings(tmp_path, action="tag", listen=other), 4)
        sensor.until(lambda: not (tmp_path / "milter.sock").exists(), "the old socket gone")
        assert (tmp_path / "other.sock").is_socket()
        sensor.until(lambda: sensor.metric("mailsensor_milter_mails_total", worker="milter") == 3, "three mails")
        assert sensor.end() == 0


def _reload(sensor: Service, more: str, number: int) -> None:
    sensor.settings.write_text(service.settings_text(sensor.port, more))
    sensor.send(signal.SIGHUP)
    sensor.until(lambda: sensor.log.count("settings_reloaded") == number, f"reload {number}")


def test_an_address_that_is_taken_is_an_error_that_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as milter:
        ended = mailsensor("milter", "--listen", milter.address)
        assert ended.status == 1
        assert ended.words == f"mailsensor: {milter.address}: can't listen there: another process listens there"
        assert milter.end() == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no address is named"),
        (["--listen", "/run/x.sock"], '"/run/x.sock" is none'),
        (["--listen", "unix:relative"], '"unix:relative" is none'),
        (["--listen", "unix:/" + "x" * 200], "at most 107 octets"),
        (["--listen", "inet:8894"], "behind inet:"),
        (["--listen", "inet:127.0.0.1:99999"], "ports end at 65535"),
        (["--listen", "unix:/nowhere/at/all"], "can't listen there: there is no folder"),
        (["--listen", "inet:127.0.0.1:0", "--events", "-", "--alerts", "-"], "only one can have standard output"),
    ],
)
def test_what_can_not_be_done_is_said(options: list[str], words: str) -> None:
    ended = mailsensor("milter", *options)
    assert (ended.status, words in ended.words) == (1, True), ended.words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('listen = "unix:/x"', "must be a list of addresses"),
        ('socket_group = "no such group"', 'there is no group "no such group"'),
        ('socket_access = "me"', "must be one of owner, group, everybody"),
        ('body = "half"', "must be one of all, window, none"),
        ('log_services = ["a b"]', "must be a list of names as in the log"),
        ("connections = 0", "must be a whole number"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "sensor.toml"
    path.write_text(f"[milter]\n{line}\n")
    ended = mailsensor("milter", "--listen", "inet:127.0.0.1:0", "--config", path)
    assert ended.status == 1
    assert "milter." + line.partition(" ")[0] in ended.words
    assert words in ended.words


def test_addresses_may_come_from_the_environment(tmp_path: Path) -> None:
    ended = mailsensor("milter", changes={"MAILSENSOR_MILTER_LISTEN": "unix:/nowhere/a, unix:/nowhere/b"})
    assert re.search("unix:/nowhere/a: can't listen there", ended.words)


def test_the_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    """All its examples together; the group that they name may not be there."""
    page = (ROOT / "docs" / "milter.md").read_text()
    path = tmp_path / "sensor.toml"
    for example in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        path.write_text(re.sub("(?m)^socket_group.*$", "", example))
        load_settings(str(path), {}, known_limits=[])
    assert "[[inline.rule]]" in page
