"""``mailsensor replay`` with sinks in its settings: they hear what the file of --alerts holds, and no secret shows."""

import json
import re
from pathlib import Path

import pytest

from sensor.alert.record import read_alert
from tests.alert.receivers import Reply, free_port, receiving
from tests.running import ROOT, Ended, mailsensor

SIEVE = ROOT / "pcaps" / "lab_sieve_redirect" / "input.pcap"
SECRETS = {"PASSWORD": "PLANTED-PASSWORD", "SECRET": "PLANTED-SECRET", "KEY": "PLANTED-KEY"}


def settings_file(folder: Path, url: str, *, spool: bool = True) -> Path:
    path = folder / "mailsensor.toml"
    path.write_text(
        f"""
        [organisation]
        internal_domains = ["corp.example"]
        [alerts]
        min_severity = "informational"
        spool_dir = "{folder / "spool" if spool else ""}"
        [[alerts.sink]]
        type = "webhook"
        url = "{url}/PLANTED-PATH"
        username = "ann"
        password_variable = "PASSWORD"
        secret_variable = "SECRET"
        [[alerts.sink]]
        type = "alertmanager"
        url = "{url}/am"
        mailbox_label = "pseudonym"
        pseudonym_key_variable = "KEY"
        [[alerts.sink]]
        type = "jsonl"
        path = "{folder / "file.jsonl"}"
        """
    )
    return path


def replay(settings: Path, *options: str | Path) -> Ended:
    ended = mailsensor("replay", SIEVE, "--settings", settings, *options, changes=SECRETS)
    assert "PLANTED" not in ended.words
    return ended


def test_sinks_hear_what_the_file_of_alerts_holds(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_file(tmp_path, receiver.url)
        assert replay(settings, "--alerts", tmp_path / "alerts.jsonl").status == 0
    lines = (tmp_path / "alerts.jsonl").read_bytes().splitlines()
    assert len(lines) > 0
    assert (tmp_path / "file.jsonl").read_bytes().splitlines() == lines
    hooked = [request.body for request in receiver.requests if request.path == "/PLANTED-PATH"]
    assert hooked == lines
    posted = [json.loads(each.body) for each in receiver.requests if each.path == "/am/api/v2/alerts"]
    assert {alert["labels"]["alert_id"] for batch in posted for alert in batch} == {
        read_alert(each).id for each in lines
    }
    mailboxes = {alert["labels"]["mailbox"] for batch in posted for alert in batch if "mailbox" in alert["labels"]}
    assert mailboxes
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in mailboxes)
    # The keys themselves are sent to nobody, and the password in its header alone.
    assert "PLANTED" not in "".join(each.body.decode() for each in receiver.requests)


def test_sinks_that_are_away_do_not_change_a_replay_and_hear_of_it_later(tmp_path: Path) -> None:
    port = free_port()
    settings = settings_file(tmp_path, f"http://127.0.0.1:{port}")
    ended = replay(settings)
    assert ended.status == 0
    assert f'sink_fails sink=webhook why="http://127.0.0.1:{port}: Connection refused"' in ended.err.decode()
    assert "sink_is_owed sink=webhook" in ended.err.decode()
    with receiving(port=port) as receiver:
        replay(settings)
    hooked = [read_alert(each.body) for each in receiver.requests if each.path == "/PLANTED-PATH"]
    told = len((tmp_path / "file.jsonl").read_bytes().splitlines())
    assert len(hooked) == told
    assert len({each.id for each in hooked}) == told / 2, "each of two runs told each once"


def test_alerts_that_a_sink_never_took_and_no_spool_keeps_show_in_the_exit_status(tmp_path: Path) -> None:
    ended = replay(settings_file(tmp_path, f"http://127.0.0.1:{free_port()}", spool=False))
    assert ended.status == 3
    assert "alerts_lost" in ended.words


def test_no_sinks_leaves_them_alone(tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_file(tmp_path, receiver.url)
        assert replay(settings, "--no-sinks").status == 0
    assert receiver.requests == []
    assert not (tmp_path / "file.jsonl").exists()


@pytest.mark.parametrize("reply", [Reply(403, body=b"PLANTED-ECHO"), Reply(302, {"Location": "/PLANTED"})])
def test_no_secret_is_in_what_is_kept_or_told_of_a_sink_that_refuses(reply: Reply, tmp_path: Path) -> None:
    with receiving(reply) as receiver:
        settings = settings_file(tmp_path, receiver.url)
        replay(settings)
        settings.unlink()
    assert {request.path for request in receiver.requests} == {"/PLANTED-PATH", "/am/api/v2/alerts"}
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) >= 3
    for path in kept:
        assert b"PLANTED" not in path.read_bytes(), path


def test_what_is_wrong_with_a_sink_is_told_before_anything_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("PLANTED-SECRET")
    secret.chmod(0o644)
    settings = settings_file(tmp_path, "http://127.0.0.1:9")
    settings.write_text(settings.read_text().replace('secret_variable = "SECRET"', f'secret_file = "{secret}"'))
    ended = replay(settings)
    assert (ended.status, ended.out) == (1, b"")
    assert f"chmod o-rw {secret}" in ended.words
    assert not (tmp_path / "file.jsonl").exists()
