"""
A marker is planted in every secret and in every body, all outputs are turned on, and it is found in none of them: not
in records, alerts, reports, metrics and the API, not in logs, not in the store and the spool.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from tests.builders import Dialogue, capture
from tests.running import mailsensor
from tests.service import SIEVE, running
from tests.test_no_leaks import MECHANISMS, PLANTED, b64, leaks

SECRETS = (
    "mail-plain", "mail-login", "mail-xoauth2", "xclient", "body", "attachment", "web-password", "webhook-secret",
    "webhook-token", "alertmanager-password", "alertmanager-key", "settings-variable",
)  # fmt: skip
"""What there is of secrets, each with a marker of its own."""


def marker(of: str) -> str:
    return f"{PLANTED}-{of}-0123456789"


MARKERS = tuple(marker(each) for each in SECRETS)

BODY = f"""\
From: fay@corp.example
To: kim.home@dst.example
Subject: Fwd: plans
Message-ID: <marked@corp.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

-------- Forwarded Message --------
From: peter@partner.example
To: fay@corp.example

{marker("body")} and a line with it, {marker("body")}.
--b
Content-Type: application/octet-stream; name=plans.bin
Content-Disposition: attachment; filename=plans.bin
Content-Transfer-Encoding: base64

{b64(marker("attachment") * 3)}
--b--
"""


def marked_capture(folder: Path) -> Path:
    """Sessions that log in by every mechanism, and a mail whose body and attachment are marked."""
    dialogue = Dialogue().greet()
    for number, mechanism in enumerate(MECHANISMS):
        secret = ("mail-plain", "mail-login", "mail-xoauth2")[number % 3]
        mechanism(dialogue, "AUTH", marker(secret))
        dialogue.s("535 5.7.8 Bad")
    dialogue.c(f"XCLIENT ADDR=192.0.2.9 X-SECRET={marker('xclient')}").s("501 5.5.4 Bad")
    dialogue.c(f"PASS {marker('mail-plain')}").s("500 5.5.2 What?")
    dialogue.envelope("fay@corp.example", "kim.home@dst.example").data(BODY.replace("\n", "\r\n").encode()).quit()
    path = folder / "marked.pcap"
    capture(dialogue.flow()).write(path)
    return path


def secret_file(folder: Path, of: str) -> Path:
    path = folder / f"{of}.secret"
    path.write_text(marker(of))
    path.chmod(0o600)
    return path


def settings(folder: Path, mode: str) -> str:
    """Every sink with every secret that it can have, none of which is there to take anything."""
    return f"""
[privacy]
mode = "{mode}"
key_file = "{folder / "names.key"}"
[alerts]
spool_dir = "{folder / "out" / "spool"}"
drain_s = 0.1
[[alerts.sink]]
type = "webhook"
url = "http://127.0.0.1:9/hook"
secret_file = "{secret_file(folder, "webhook-secret")}"
[[alerts.sink]]
type = "webhook"
name = "variable"
url = "http://127.0.0.1:9/hook"
secret_variable = "MARKED_SECRET"
token_file = "{secret_file(folder, "webhook-token")}"
[[alerts.sink]]
type = "alertmanager"
url = "http://127.0.0.1:9"
username = "mailsensor"
password_file = "{secret_file(folder, "alertmanager-password")}"
mailbox_label = "pseudonym"
pseudonym_key_file = "{secret_file(folder, "alertmanager-key")}"
[[alerts.sink]]
type = "syslog"
host = "127.0.0.1"
port = 9
transport = "tcp"
[[alerts.sink]]
type = "ocsf"
path = "{folder / "out" / "findings.jsonl"}"
"""


ENVIRONMENT = {"MARKED_SECRET": marker("settings-variable")}


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()


def found(said: dict[str, bytes]) -> dict[str, list[str]]:
    """What was found where, beside the markers the secrets that keep sealed what was told."""
    return {name: leaked for name, octets in said.items() if (leaked := leaks(octets, [PLANTED, *MARKERS]))}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_the_markers_are_there_to_be_found(tmp_path: Path) -> None:
    octets = marked_capture(tmp_path).read_bytes()
    wanted = {marker(each) for each in ("mail-plain", "mail-login", "mail-xoauth2", "xclient", "body", "attachment")}
    assert set(leaks(octets, MARKERS)) == wanted


@pytest.mark.parametrize("mode", ["clear", "pseudonym"])
def test_a_replay_tells_no_marker(tmp_path: Path, out: Path, mode: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[organisation]\ninternal_domains = ["corp.example"]\n' + settings(tmp_path, mode))
    outputs = ("--events", "--alerts", "--report", "--store")
    named = [part for option in outputs for part in (option, out / option.strip("-"))]
    ended = mailsensor(
        "replay", marked_capture(tmp_path), SIEVE, "--settings", path, *named, "--json", changes=ENVIRONMENT
    )
    assert ended.status == 0, ended.words
    said = {"out": ended.out, "err": ended.err, **dict(written(out))}
    assert {"events", "alerts", "report", "store", "findings.jsonl", "sink-webhook.spool"} <= said.keys()
    assert b"alert" in said["sink-webhook.spool"]
    assert found(said) == {}
    key = (tmp_path / "names.key").read_bytes().strip()
    assert [name for name, octets in said.items() if key in octets] == []


@pytest.mark.parametrize("mode", ["clear", "pseudonym"])
def test_a_running_sensor_tells_no_marker(tmp_path: Path, out: Path, mode: str) -> None:
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(marker("web-password").encode(), bcrypt.gensalt(4)).decode()
    web.write_text(f"basic_auth_users:\n  prometheus: {hashed}\n")
    web.chmod(0o600)
    more = (
        f'path = "{out / "kept.db"}"\n[run]\nrecords = "{out / "records"}"\nalerts = "{out / "alerts"}"\n'
        f'[capture]\nfiles = ["{marked_capture(tmp_path)}", "{SIEVE}"]\n{settings(tmp_path, mode)}'
    )
    said = {}
    login = "Basic " + base64.b64encode(f"prometheus:{marker('web-password')}".encode()).decode()
    with running(tmp_path, more, web=f'config_file = "{web}"', changes=ENVIRONMENT) as service:
        assert service.ask("/metrics").status == 401
        service.headers["Authorization"] = login
        service.until(lambda: service.ask("/api/v1/alerts").json["total"] > 1, "alerts")
        service.until(lambda: service.metric("mailsensor_store_saves_total", result="good") >= 1, "a save")
        for path in ("/metrics", "/", "/api/v1/mailboxes", "/api/v1/destinations", "/api/v1/alerts", "/-/ready"):
            said[path] = service.ask(path).body
        for alert in service.ask("/api/v1/alerts").json["items"]:
            for link in alert["evidence"]["links"]:
                mail = link["exhibit"]["transaction_id"]
                said[mail] = service.ask(f"/api/v1/transactions/{mail}").body
        said["refused"] = service.ask(f"/api/v1/{marker('web-password')}").body
        assert service.end() == 0
        said["log"] = service.log.encode()
    said |= dict(written(out))
    assert {"records", "alerts", "kept.db", "findings.jsonl", "sink-alertmanager.spool"} <= said.keys()
    assert found(said) == {}
    assert [name for name, octets in said.items() if hashed.encode() in octets] == []
