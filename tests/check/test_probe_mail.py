"""A probe mail through a real sensor: what is proven, what is not, and what is said to look at."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from pathlib import Path

import bcrypt
import pytest

from sensor.check.probe import ProbeMail
from tests.postfix import Postfix, open_folder, postfix
from tests.running import Ended, mailsensor
from tests.service import Service, free_port, running
from tests.stranger import needs_root
from tests.taps.relay.certificates import certificate
from tests.taps.relay.next_hop import SILENT, Fault, NextHop, next_hop, on_a_thread

ANN_BOB = "ann@corp.example,bob@partner.example"
TAGGING = '[[inline.rule]]\nname = "marking"\naction = "tag"\nkind = "auto"\n'


def probe(service: Service, via: int, *more: str | Path) -> Ended:
    """What ``mailsensor check`` says of a probe mail that is sent to that port of 127.0.0.1."""
    return mailsensor(
        "check", "--config", service.settings, "--probe-mail", ANN_BOB, "--via", f"127.0.0.1:{via}", *more
    )


@contextmanager
def relayed(
    folder: Path,
    more: str = "",
    *,
    faults: dict[str, Fault] | None = None,
    web: str = "",
    context: ssl.SSLContext | None = None,
) -> Iterator[tuple[Service, int, NextHop]]:
    """A sensor whose relay listens on that port, before that next hop."""
    port = free_port()
    with next_hop(faults) as hop:
        settings = f'[relay]\nlisten = "127.0.0.1:{port}"\nnext_hop = "127.0.0.1:{hop.port}"\n{more}'
        with running(folder, settings, web=web, context=context) as service:
            yield service, port, hop


# ---- the relay


def test_a_mail_through_the_relay_is_shown_with_how_long_it_took(tmp_path: Path) -> None:
    with relayed(tmp_path) as (service, port, hop):
        ended = probe(service, port)
        assert ended.status == 0, ended.words
        assert re.search(r"OK probe_mail mail: 127\.0\.0\.1:\d+ says after \d+\.\d\d s: 250 2\.0\.0 Ok", ended.words)
        assert re.search(r"relay: seen after \d+\.\d\d s as delivered, no forward; record [0-9a-f]{32}", ended.words)
        assert "relay: only watches: there is no [[inline.rule]]" in ended.words
        assert "The probe mail proves the chain; 0 to put right, 0 to look at." in ended.words
        (kept,) = hop.kept
        fields = message_from_bytes(kept)
        assert fields["Subject"] == "Mailflow Sensor probe"
        assert fields["Auto-Submitted"] == "auto-generated"
        assert service.ask("/api/v1/mailboxes").json["total"] == 0


def test_a_probe_that_looks_like_a_forward_meets_the_rules(tmp_path: Path) -> None:
    with relayed(tmp_path, TAGGING) as (service, port, hop):
        assert "no [[inline.rule]] is about it; --probe-forward sends one" in probe(service, port).words
        ended = probe(service, port, "--probe-forward", "--json")
        told = json.loads(ended.out)
        assert told["status"] == "ok"
        said = [each["said"] for each in told["checks"] if each["what"] == "relay"]
        assert "a forward (auto, conclusive) of ann@corp.example" in said[0]
        assert said[1] == "rule marking says tag: tagged with X-Mailflow-Sensor"
        assert b"X-Mailflow-Sensor: " in hop.kept[1]


def test_a_refusal_that_a_rule_asks_for_is_no_fault(tmp_path: Path) -> None:
    with relayed(tmp_path, TAGGING.replace('"tag"', '"reject"')) as (service, port, hop):
        ended = probe(service, port, "--probe-forward")
        assert ended.status == 0, ended.words
        assert "550 5.7.1 Forwarding this mail is not allowed here" in ended.words
        assert "rule marking says reject: done" in ended.words
        assert hop.kept == []


def test_a_dry_run_is_told_as_one(tmp_path: Path) -> None:
    with relayed(tmp_path, "[inline]\ndry_run = true\n" + TAGGING) as (service, port, _):
        assert "rule marking would tag, but for the dry run" in probe(service, port, "--probe-forward").words


def test_rules_that_the_running_sensor_does_not_have_are_found_out(tmp_path: Path) -> None:
    """The file says that the mail is tagged, and the sensor never read it."""
    with relayed(tmp_path) as (service, port, _):
        service.settings.write_text(service.settings.read_text() + TAGGING)
        ended = probe(service, port, "--probe-forward")
        assert ended.status == 2
        assert "rule marking says tag, and the sensor counts no such verdict" in ended.words
        assert "reload" in ended.words


def test_records_of_pseudonyms_still_prove_that_it_was_seen(tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert mailsensor("key", key, "--add").status == 0
    rule = TAGGING + 'mailboxes = ["ann@corp.example"]\n'
    with relayed(tmp_path, f'[privacy]\nmode = "pseudonym"\nkey_file = "{key}"\n{rule}') as (service, port, _):
        ended = probe(service, port, "--probe-forward")
        assert ended.status == 1, ended.words
        assert "relay: seen after" in ended.words
        assert "of ann@corp.example" not in ended.words
        assert "which rule it met can't be told" in ended.words


# ---- the milter


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@contextmanager
def asked_by_postfix(folder: Path, more: str = "", **changes: str) -> Iterator[tuple[Service, Postfix]]:
    """A sensor with a milter, and a Postfix that asks it, but for *changes*."""
    address = f"inet:127.0.0.1:{free_port()}"
    usual = {"smtpd_milters": address, "milter_default_action": "accept", "milter_connect_timeout": "2s"}
    with (
        running(folder, f'[milter]\nlisten = ["{address}"]\n{more}') as service,
        postfix(usual | changes) as mta,
    ):
        yield service, mta


@needs_root
def test_a_mail_through_postfix_is_seen_and_tagged_by_the_milter(folder: Path) -> None:
    with asked_by_postfix(folder, TAGGING) as (service, mta):
        ended = probe(service, mta.port, "--probe-forward")
        assert ended.status == 0, ended.words
        assert "250 2.0.0 Ok: queued as" in ended.words
        assert "milter: seen after" in ended.words
        assert "milter: rule marking says tag: tagged with X-Mailflow-Sensor" in ended.words
        mta.wait_for(lambda: b"X-Mailflow-Sensor: " in mta.stored(), "a tag stands in the mail")


@needs_root
def test_a_postfix_that_does_not_ask_is_found_out(folder: Path) -> None:
    with asked_by_postfix(folder, smtpd_milters="") as (service, mta):
        ended = probe(service, mta.port, "--probe-wait", "1")
        assert ended.status == 2
        assert "did not see it within 1 s" in ended.words
        assert re.search(r"smtpd_milters of the server at \S+ has to name inet:127\.0\.0\.1:\d+", ended.words)
        assert "The probe mail proves nothing" in ended.words


@needs_root
def test_of_two_taps_the_one_on_another_road_is_a_warning(folder: Path) -> None:
    other = f'[relay]\nlisten = "127.0.0.1:{free_port()}"\nnext_hop = "127.0.0.1:1"\n'
    with asked_by_postfix(folder, other) as (service, mta):
        ended = probe(service, mta.port)
        assert ended.status == 1, ended.words
        assert "milter: seen after" in ended.words
        assert re.search(r"WARN probe_mail relay: did not see it: .* -> --via has to be where clients", ended.words)


# ---- the wire, and copies


@needs_root
def test_a_mail_on_the_wire_is_seen_by_the_live_tap(tmp_path: Path) -> None:
    with next_hop() as hop, running(tmp_path, f'[live]\ninterfaces = ["lo"]\nports = [{hop.port}]\n') as service:
        ended = probe(service, hop.port)
        assert ended.status == 0, ended.words
        assert "live: seen after" in ended.words


def test_a_copy_that_reaches_the_journal_is_seen(tmp_path: Path) -> None:
    port = free_port()
    journal = f'[journal]\nlisten = "127.0.0.1:{port}"\naddresses = ["journal@corp.example"]\nkeeps_envelope = true\n'
    with running(tmp_path, f'{journal}[run]\nrecords = "{tmp_path}/records.jsonl"\n') as service:
        ended = probe(service, port)
        assert ended.status == 0, ended.words
        assert "250 2.0.0 Recorded" in ended.words
        assert "journal: seen after" in ended.words


# ---- nothing to prove


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ({"RCPT": b"550 5.1.1 Nobody\x1b[31m here\r\n"}, "550 5.1.1 Nobody"),
        ({"MAIL": b"451 4.3.0 Later\r\n"}, "451 4.3.0 Later, to MAIL"),
        ({"banner": b"554 5.7.1 Go away\r\n"}, "554 5.7.1 Go away, to the connection"),
        ({"dot": b"552 5.2.2 Full\r\n"}, "552 5.2.2 Full, to ."),
    ],
)
def test_a_server_that_refuses_is_told_with_its_words(tmp_path: Path, faults: dict[str, Fault], told: str) -> None:
    with relayed(tmp_path, faults=faults) as (service, port, _):
        ended = probe(service, port)
        assert ended.status == 2
        assert told in ended.words
        assert b"\x1b" not in ended.out


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with relayed(tmp_path) as (service, _, _):
        ended = probe(service, free_port())
        assert ended.status == 2
        assert "Connection refused -> look at --via" in ended.words
        for name in (f"{'x' * 70}..example:25", "no-such-host.invalid:25"):
            ended = mailsensor("check", "--config", service.settings, "--probe-mail", ANN_BOB, "--via", name)
            assert ended.status == 2
            assert "look at --via" in ended.words


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sensor.check.probe import mail

    monkeypatch.setattr(mail, "_PATIENCE_S", 0.3)
    with next_hop({"RCPT": SILENT}) as hop, pytest.raises(OSError, match=r"timed out|closed"):
        mail.send(ProbeMail("ann@corp.example", "bob@partner.example", "127.0.0.1", hop.port))


@pytest.mark.parametrize("endless", [b"250-and so on\r\n" * 50_000, b"2", b"220 x\r\n"])
def test_replies_without_an_end_are_given_up(endless: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many lines, an octet now and then, and replies that nothing asked for."""
    from sensor.check.probe import mail

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while True:
                writer.write(endless)
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    monkeypatch.setattr(mail, "_WHOLE_S", 1.0)
    began = time.monotonic()
    with on_a_thread(drip) as port, pytest.raises((OSError, mail.RefusedError)):
        mail.send(ProbeMail("ann@corp.example", "bob@partner.example", "127.0.0.1", port))
    assert time.monotonic() - began < 10


def test_a_server_that_takes_mail_in_tls_alone_gets_it_so(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "mx.corp.example")
    tls = f'tls = "require"\ntls_cert_file = "{cert}"\ntls_key_file = "{key}"\n'
    key.chmod(0o600)
    with relayed(tmp_path, tls) as (service, port, hop):
        ended = probe(service, port)
        assert ended.status == 0, ended.words
        assert len(hop.kept) == 1


def test_without_a_sensor_no_mail_is_sent(tmp_path: Path) -> None:
    with relayed(tmp_path) as (service, port, hop):
        service.settings.write_text(re.sub(r"(?<=:)\d+", str(free_port()), service.settings.read_text(), count=1))
        ended = probe(service, port)
        assert ended.status == 2
        assert "systemctl status mailsensor" in ended.words
        assert hop.kept == []


def test_what_listens_there_may_be_no_sensor(tmp_path: Path) -> None:
    with next_hop() as hop, relayed(tmp_path) as (service, port, _):
        service.settings.write_text(re.sub(r"(?<=:)\d+", str(hop.port), service.settings.read_text(), count=1))
        assert probe(service, port).status == 2


def test_captures_alone_cannot_be_probed(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        ended = probe(service, free_port())
        assert ended.status == 2
        assert "captures alone are read" in ended.words


# ---- who asks


def test_the_login_comes_from_a_file(tmp_path: Path) -> None:
    config, login = tmp_path / "web.yml", tmp_path / "login"
    password = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    config.write_text(f"basic_auth_users:\n  prober: {password}\n")
    config.chmod(0o600)
    with relayed(tmp_path, web=f'config_file = "{config}"') as (service, port, hop):
        assert "the sensor asks who we are -> --api-login FILE" in probe(service, port).words
        login.write_text("prober:wrong\n")
        assert "the sensor does not know this login" in probe(service, port, "--api-login", login).words
        assert hop.kept == []
        login.write_text("prober:correct horse\n")
        ended = probe(service, port, "--api-login", login)
        assert ended.status == 0, ended.words
        assert "correct horse" not in ended.words


def tls_config(folder: Path, name: str) -> Path:
    """A web config file with a certificate of that name."""
    cert, key = certificate(folder, name)
    key.chmod(0o600)
    path = folder / f"{name}.yml"
    path.write_text(f"tls_server_config:\n  cert_file: {cert.name}\n  key_file: {key.name}\n")
    return path


def test_tls_is_spoken_with_the_certificate_that_the_settings_name(tmp_path: Path) -> None:
    """Another's is not taken for it, whatever name it bears."""
    own, other = tls_config(tmp_path, "own"), tls_config(tmp_path, "other")
    context = ssl.create_default_context(cafile=str(tmp_path / "own.pem"))
    with relayed(tmp_path, web=f'config_file = "{own}"', context=context) as (service, port, hop):
        ended = probe(service, port)
        assert ended.status == 0, ended.words
        service.settings.write_text(service.settings.read_text().replace(str(own), str(other)))
        ended = probe(service, port)
        assert ended.status == 2
        assert "CERTIFICATE_VERIFY_FAILED" in ended.words
        assert len(hop.kept) == 1


# ---- usage


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--probe-mail", ANN_BOB], "--via must name the server"),
        (["--probe-mail", ANN_BOB, "--via", "mx.corp.example"], "--via must name the server"),
        (["--probe-mail", ANN_BOB, "--via", "127.0.0.1:0"], "--via must name the server"),
        (["--probe-mail", "ann@corp.example", "--via", "127.0.0.1:25"], "two plain addresses"),
        (["--probe-mail", "a@b.example,c@d.example\r\nDATA", "--via", "127.0.0.1:25"], "two plain addresses"),
        (["--probe-mail", "a@b.example,<c>@d.example", "--via", "127.0.0.1:25"], "two plain addresses"),
        (["--probe-mail", ANN_BOB, "--via", "127.0.0.1:25", "--probe-wait", "nan"], "--probe-wait must be"),
        (["--probe-mail", ANN_BOB, "--via", "127.0.0.1:25", "--api-login", "/nowhere"], "/nowhere"),
        (["--via", "127.0.0.1:25"], "go with --probe-mail"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], told: str) -> None:
    ended = mailsensor("check", *arguments)
    assert ended.status in (1, 2)
    assert told in " ".join(re.sub("[│╭╮╰╯─]", " ", ended.words).split())
    assert "Traceback" not in ended.words


def test_a_probe_is_ascii_in_lines_that_every_server_takes() -> None:
    content = ProbeMail("ann@corp.example", "bob@partner.example", "mx.corp.example", 25, as_forward=True).content
    lines = content.split(b"\r\n")
    assert content.isascii()
    assert all(len(line) <= 998 and b"\n" not in line for line in lines)
