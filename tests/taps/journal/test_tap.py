"""Copies come in by SMTP and are acknowledged when they are written, and by nobody else and never sooner."""

from __future__ import annotations

import contextlib
import io
import shutil
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.classify import builtin_table
from sensor.log import Log
from sensor.model import TransactionRecord, read_record
from sensor.settings import JournalSettings
from sensor.taps.base import TapError
from sensor.taps.journal import tap as tap_module
from sensor.taps.journal.counts import COUNTERS
from sensor.taps.journal.tap import check
from tests.taps.journal.samples import ORIGINAL, REPORT, SAMPLES, report_mail
from tests.taps.journal.serving import OURS, serving


def test_a_journal_report_becomes_the_record_of_the_mail_that_it_is_about() -> None:
    with serving() as served:
        assert served.send(report_mail(), "")[0] == 250
    record = read_record(served.lines[0])
    assert isinstance(record, TransactionRecord)
    assert (record.reverse_path, record.outcome, record.tap) == ("sue@other.example", "delivered", "journal")
    assert [each.address for each in record.forward_paths] == ["ann@corp.example", "eve@corp.example"]
    assert record.header is not None
    assert record.header.message_id == "one@other.example"
    assert record.size_octets == len(ORIGINAL)


@pytest.mark.parametrize("form", SAMPLES)
def test_every_form_gives_a_record_and_is_counted(form: str) -> None:
    copied = SAMPLES[form]()
    with serving() as served:
        assert served.send(copied.content, copied.reverse_path)[0] == 250
    assert served.counters[f"form_{form}"] == served.counters["copies_recorded"] == len(served.events) == 1
    assert set(served.counters) <= set(COUNTERS)


def test_a_mail_sent_on_bears_whom_for() -> None:
    report = (*REPORT, "Recipient: drop@evil.example, Forwarded: bob+x@corp.example")
    with serving() as served:
        served.send(report_mail(report=report))
    first, second = served.events
    assert first.id != second.id
    assert [(each.address, each.orcpt) for each in second.forward_paths] == [  # type: ignore[union-attr] # a mail
        ("drop@evil.example", "rfc822;bob+x@corp.example")
    ]


def test_nothing_is_acknowledged_before_it_is_settled() -> None:
    with serving() as served, served.client() as client:
        served.settles = None
        client.ehlo()
        client.mail("a@b.example")
        client.rcpt(OURS)
        client.putcmd("data")
        client.getreply()
        client.send(ORIGINAL + b".\r\n")
        assert client.sock is not None
        client.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        assert len(served.events) == 1


def test_what_could_not_be_written_is_deferred() -> None:
    with serving() as served:
        served.settles = False
        assert served.send(ORIGINAL)[0] == 451
        served.settles = True
        assert served.send(ORIGINAL)[0] == 250
        assert (served.counters["copies_not_written"], served.counters["copies_recorded"]) == (1, 1)


def test_what_is_not_written_in_time_is_deferred() -> None:
    with serving(write_timeout_s=0.1) as served:
        served.settles = None
        assert served.send(ORIGINAL)[0] == 451
        assert served.counters["copies_late"] == 1


def test_a_failure_is_answered_451_and_told_without_what_the_mail_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(copy: object) -> None:
        raise ValueError("ann@corp.example")

    log = io.StringIO()
    monkeypatch.setattr(tap_module, "read_copy", fail)
    with serving(log) as served:
        assert served.send(ORIGINAL)[0] == 451
        assert served.send(ORIGINAL)[0] == 451
        assert served.counters["copies_failed"] == 2
    assert log.getvalue().count("copy_failed") == 1
    assert "ann@" not in log.getvalue()


def test_only_named_peers_are_let_in() -> None:
    with serving(peers=(ip_network("192.0.2.0/24"),)) as served:
        with served.connect() as connection:
            connection.sendall(b"EHLO x\r\nMAIL FROM:<a@b>\r\n")
            assert connection.recv(100).startswith(b"554 5.7.1 ")
            assert until_closed(connection) == b""
        assert served.counters == {"refused_peer": 1}


def until_closed(connection: socket.socket) -> bytes:
    told = b""
    try:
        while octets := connection.recv(4_096):
            told += octets
    except ConnectionResetError:
        return told
    return told


def test_mail_to_others_is_refused_since_here_it_would_be_lost() -> None:
    with serving(addresses=(OURS, "corp-journal.example")) as served, served.client() as client:
        client.ehlo()
        client.mail("a@b.example")
        assert client.rcpt("ann@corp.example")[0] == 550
        assert client.rcpt("ann@sub.corp-journal.example")[0] == 550
        assert client.rcpt("Journal@Sensor.example")[0] == 250
        assert client.rcpt("journal+ann=corp.example@sensor.example")[0] == 250
        assert client.rcpt("anything@corp-journal.example")[0] == 250
        assert served.counters == {"refused_recipient": 2}


def test_where_the_envelope_is_kept_its_recipients_are_those_of_the_mail() -> None:
    with serving(keeps_envelope=True, addresses=()) as served:
        assert served.send(ORIGINAL, to="ann@corp.example")[0] == 250
    assert [each.address for each in served.events[0].forward_paths] == ["ann@corp.example"]  # type: ignore[union-attr]


def test_sessions_are_bounded() -> None:
    with serving(peer_sessions=1) as served:
        with served.client() as client:
            client.ehlo()
            with pytest.raises(smtplib.SMTPConnectError, match="421"):
                served.client()
        assert until(lambda: served.send(ORIGINAL)[0] == 250)


def until(holds: Callable[[], object]) -> bool:
    for _ in range(100):
        with contextlib.suppress(smtplib.SMTPConnectError):
            if holds():
                return True
        time.sleep(0.02)
    return False


def test_octets_that_are_being_taken_in_are_bounded() -> None:
    with serving(open_octets=100_000) as served, served.client() as first, served.client() as second:
        for client in (first, second):
            client.ehlo()
        assert first.mail("a@b.example", ["SIZE=90000"])[0] == 250
        assert second.mail("a@b.example", ["SIZE=90000"])[0] == 452
        first.rset()
        assert second.mail("a@b.example", ["SIZE=90000"])[0] == 250
        second.close()
        assert until(lambda: first.mail("a@b.example", ["SIZE=90000"])[0] == 250)


def test_a_copy_that_is_too_large_is_refused() -> None:
    with serving(mail_octets=100_000) as served:
        assert served.send(ORIGINAL + b"x" * 80 + b"\r\n" * 60_000)[0] == 552


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a..b@docomo.example",
        ".a@b.example",
        '"a > b"@c.example',
        "j\xf6rg@b.example",
        "a" * 900 + "@b.example",
        "x",
    ],
)
def test_any_reverse_path_is_taken_as_it_stands(address: str) -> None:
    """Without our own reader some are refused that are in use, for good: the copy would come back to its sender."""
    with serving() as served, served.client() as client:
        client.ehlo()
        octets = address.encode()
        client.send(b"MAIL FROM:<" + octets + b"> SMTPUTF8\r\nRCPT TO:<" + OURS.encode() + b">\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [250, 250]
        assert client.data(ORIGINAL)[0] == 250
    assert [each.reverse_path for each in served.events] == [address]  # type: ignore[union-attr]


def test_long_lines_are_taken() -> None:
    with serving() as served:
        assert served.send(ORIGINAL + b"x" * 200_000 + b"\r\n")[0] == 250


def test_auth_is_not_offered() -> None:
    with serving() as served, served.client() as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features


def test_bad_commands_are_answered_and_the_session_goes_on() -> None:
    with serving() as served, served.client() as client:
        for line in ("FOO", "MAIL FROM:<", "MAIL FROM:a@b SIZE=x", "DATA", "RCPT TO:<a", "\xff\xfe", "EHLO", ""):
            client.send(line.encode("latin-1") + b"\r\n")
            assert 400 <= client.getreply()[0] < 600
        client.ehlo()
        assert client.mail("a@b.example")[0] == 250


def test_a_sender_that_goes_away_in_data_leaves_nothing() -> None:
    with serving() as served:
        with served.connect() as connection:
            connection.sendall(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<" + OURS.encode() + b">\r\nDATA\r\n" + ORIGINAL)
            time.sleep(0.1)
        assert served.send(ORIGINAL)[0] == 250
    assert len(served.events) == 1


def test_many_senders_at_once_are_each_answered() -> None:
    codes: list[int] = []
    with serving() as served:
        threads = [threading.Thread(target=lambda: codes.append(served.send(report_mail(), "")[0])) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert codes == [250] * 30
    assert len({event.id for event in served.events}) == 30


def test_the_end_waits_for_copies_that_are_being_written() -> None:
    answers: list[tuple[int, bytes]] = []
    with serving() as served:
        served.settles = None
        sender = threading.Thread(target=lambda: answers.append(served.send(ORIGINAL)))
        sender.start()
        assert until(lambda: served.unsettled)
        served.tap.stop()
        time.sleep(0.1)
        served.unsettled[0].settle(True)
        sender.join(10)
    assert [code for code, _ in answers] == [250]


def test_a_journal_whose_reader_went_away_takes_nothing_more() -> None:
    local = JournalSettings(listen="127.0.0.1:0", addresses=(OURS,))
    tap = tap_module.JournalTap(builtin_table().interest, local, log=Log(io.StringIO()))
    batches = tap.batches()
    next(batches)
    batches.close()  # type: ignore[attr-defined] # a generator

    def refuses() -> bool:
        try:
            socket.create_connection(tap.address, timeout=1).close()
        except OSError:
            return True
        return False

    assert until(refuses)


def test_a_journal_that_was_stopped_before_it_began_ends_at_once() -> None:
    local = JournalSettings(listen="127.0.0.1:0", addresses=(OURS,))
    tap = tap_module.JournalTap(builtin_table().interest, local, log=Log(io.StringIO()))
    tap.stop()
    assert list(tap.batches()) == []


COMMANDS = st.sampled_from(
    [
        b"EHLO x\r\n",
        b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<a@b> SIZE=9\r\n",
        b"RCPT TO:<journal@sensor.example>\r\n",
        b"DATA\r\n",
        b"X-MS-Journal-Report:\r\n\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"RSET\r\n",
        b"STARTTLS\r\n",
        b"AUTH PLAIN AGEAYg==\r\n",
        b"BDAT 5 LAST\r\n",
    ]
)


def test_any_octets_are_survived() -> None:
    with serving() as served:

        @settings(max_examples=40, deadline=None)
        @given(st.lists(st.one_of(COMMANDS, st.binary(max_size=30)), max_size=12))
        def say(octets: list[bytes]) -> None:
            with served.connect() as connection:
                connection.sendall(b"".join(octets) + b"\r\n.\r\nQUIT\r\n")
                connection.shutdown(socket.SHUT_WR)
                until_closed(connection)

        say()
        assert served.send(ORIGINAL)[0] == 250
        assert served.counters.get("copies_failed", 0) == 0


def test_a_second_journal_may_take_the_port_over() -> None:
    with serving() as first:
        address = "{}:{}".format(*first.tap.address)
        with serving(listen=address) as second:
            first.tap.stop()
            time.sleep(0.2)
            assert second.send(ORIGINAL)[0] == 250
        assert first.events == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "cert.pem", folder / "key.pem"
    make_certificate(*files)
    return files


def make_certificate(cert_file: Path, key_file: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-out", str(cert_file), "-keyout", str(key_file)], check=True, capture_output=True
    )


def test_tls_is_offered_or_required_as_set(certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    context.check_hostname = False
    files: dict[str, Any] = {"cert_file": str(certificate[0]), "key_file": str(certificate[1])}
    with serving(tls="require", **files) as served, served.client() as client:
        client.ehlo()
        assert client.mail("a@b.example")[0] == 530
        client.starttls(context=context)
        client.ehlo()
        assert "auth" not in client.esmtp_features
        client.mail("a@b.example")
        client.rcpt(OURS)
        assert client.data(ORIGINAL)[0] == 250
    with serving(tls="may", **files) as served:
        assert served.send(ORIGINAL)[0] == 250
    with serving() as served, served.client() as client:
        client.ehlo()
        assert "starttls" not in client.esmtp_features


def test_a_renewed_certificate_is_shown_to_the_next_session(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    log = io.StringIO()
    for source, target in zip(certificate, files, strict=True):
        shutil.copy(source, target)
    with serving(log, tls="may", cert_file=str(files[0]), key_file=str(files[1])) as served:
        first = shown(served.tap.address)
        make_certificate(*files)
        assert shown(served.tap.address) != first
        files[1].write_text("nothing")
        shown(served.tap.address)
    assert "journal_certificate_reloaded" in log.getvalue()
    assert "journal_certificate_not_reloaded" in log.getvalue()


def shown(address: tuple[str, int]) -> bytes | None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(*address, local_hostname="x", timeout=10) as client:
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (JournalSettings(), "journal.listen"),
        (JournalSettings(listen="127.0.0.1:0"), "journal.addresses"),
        (JournalSettings(listen="127.0.0.1:0", addresses=(OURS,), peers=()), "journal.peers"),
        (JournalSettings(listen="127.0.0.1:0", addresses=(OURS,), tls="may"), "journal.cert_file"),
    ],
)
def test_settings_that_would_lose_mail_are_refused(settings: JournalSettings, words: str) -> None:
    with pytest.raises(TapError, match=words):
        check(settings)


def test_an_address_that_can_not_be_listened_at_is_named() -> None:
    with pytest.raises(TapError, match=r"journal\.listen = 192\.0\.2\.1:25"), serving(listen="192.0.2.1:25"):
        pass


def test_a_key_that_everybody_can_read_is_refused(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = (Path(shutil.copy(path, tmp_path / path.name)) for path in certificate)
    key.chmod(0o644)
    with (
        pytest.raises(TapError, match=r"everybody may read or write this key \(mode 0644\); chmod o-rw"),
        serving(tls="may", cert_file=str(cert), key_file=str(key)),
    ):
        pass


def test_a_certificate_that_can_not_be_read_is_named() -> None:
    with pytest.raises(TapError, match=r"journal\.cert_file"), serving(tls="may", cert_file="/nowhere", key_file="/no"):
        pass
