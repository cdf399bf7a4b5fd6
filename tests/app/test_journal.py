"""``mailsensor journal`` as a service: what it acknowledged is on disk, however it ends."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sensor.model import TransactionRecord, read_record
from tests.craft.dialogue import lines
from tests.running import COMMAND, environment, mailsensor
from tests.service import free_port, running
from tests.taps.journal.samples import ORIGINAL, REPORT, SAMPLES, report_mail

OURS = "journal@sensor.example"
PATIENCE_S = 30.0


@dataclass
class Journal:
    process: subprocess.Popen[Any]
    port: int
    events: Path

    def send(self, content: bytes) -> int:
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="x", timeout=10) as client:
            client.ehlo()
            client.mail("")
            client.rcpt(OURS)
            return client.data(content)[0]

    def records(self) -> list[TransactionRecord]:
        read = [read_record(line) for line in self.events.read_bytes().splitlines()]
        return [each for each in read if isinstance(each, TransactionRecord)]


def begin(events: Path, port: int = 0, *options: str) -> Journal:
    process = subprocess.Popen(
        [*COMMAND, "journal", "--listen", f"127.0.0.1:{port}", "--address", OURS, "--events", str(events), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    told = process.stderr.readline()
    found = re.search(r"journal_listening at=127\.0\.0\.1:(\d+)", told)
    assert found is not None, told
    return Journal(process, int(found[1]), events)


@contextmanager
def journal(events: Path, *options: str) -> Iterator[Journal]:
    started = begin(events, 0, *options)
    try:
        yield started
    finally:
        end(started, signal.SIGTERM)


def end(started: Journal, number: signal.Signals) -> int:
    started.process.send_signal(number)
    status = started.process.wait(PATIENCE_S)
    assert started.process.stderr is not None
    started.process.stderr.close()
    return status


def test_copies_become_records_with_what_they_show(tmp_path: Path) -> None:
    events = tmp_path / "records.jsonl"
    report = (*REPORT[:3], "To: drop@evil.example, Forwarded: ann@corp.example")
    with journal(events, "--internal-domain", "corp.example") as started:
        assert started.send(report_mail(report=report)) == 250
        (record,) = started.records()
    assert (record.tap, record.reverse_path) == ("journal", "sue@other.example")
    found = record.forwarding
    assert (found.kind, found.evidence, found.mailbox) == ("auto", "strong", "ann@corp.example")
    assert (found.destinations, found.direction) == (("drop@evil.example",), "outbound")


def test_a_mail_to_our_own_people_is_no_forward(tmp_path: Path) -> None:
    with journal(tmp_path / "records.jsonl", "--internal-domain", "corp.example") as started:
        for form in ("exchange", "google", "bcc", "plain"):
            assert started.send(SAMPLES[form]().content) == 250
        kinds = [each.forwarding.kind for each in started.records()]
    assert kinds == ["none"] * 4


def numbered(number: int) -> bytes:
    return report_mail(ORIGINAL.replace(b"one@other.example", b"%d@other.example" % number))


def test_what_was_acknowledged_is_on_disk_though_it_is_killed_again_and_again(tmp_path: Path) -> None:
    """Ten kills with 400 copies under way: no acknowledged mail lacks, each arrives, and each line is a record."""
    events, mails, kills = tmp_path / "records.jsonl", 400, 10
    first = begin(events)
    acknowledged: set[int] = set()
    left = list(range(mails))
    lock = threading.Lock()

    def send_all() -> None:
        while True:
            with lock:
                if not left:
                    return
                number = left.pop()
            while True:
                # Whatever breaks, a sender keeps the mail and tries again.
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    if first.send(numbered(number)) == 250:
                        break
                time.sleep(0.02)
            with lock:
                acknowledged.add(number)

    senders = [threading.Thread(target=send_all) for _ in range(8)]
    for sender in senders:
        sender.start()
    current = first
    for kill in range(kills):
        until_acknowledged = mails * (kill + 1) // (kills + 2)
        deadline = time.monotonic() + PATIENCE_S
        while len(acknowledged) < until_acknowledged and time.monotonic() < deadline:
            time.sleep(0.005)
        with lock:
            before = set(acknowledged)
        end(current, signal.SIGKILL)
        assert before <= recorded(events)
        current = begin(events, first.port)
    for sender in senders:
        sender.join(PATIENCE_S)
    assert len(acknowledged) == mails
    assert end(current, signal.SIGTERM) == 0
    assert recorded(events) == set(range(mails))


def recorded(events: Path) -> set[int]:
    """Numbers of the mails in whole lines; the last one may be torn until the file is opened again."""
    whole = events.read_bytes().rpartition(b"\n")[0]
    read = [read_record(line) for line in whole.splitlines()]
    ids = [each.header.message_id or "" for each in read if isinstance(each, TransactionRecord) and each.header]
    return {int(each.partition("@")[0]) for each in ids}


def test_on_a_full_disk_copies_are_deferred_until_there_is_room(tmp_path: Path) -> None:
    events = tmp_path / "records.jsonl"
    started = begin(events)
    assert started.send(numbered(1)) == 250
    size = events.stat().st_size
    resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    assert started.send(numbered(2)) == 451
    assert events.stat().st_size == size
    resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert started.send(numbered(2)) == 250
    assert recorded(events) == {1, 2}
    assert end(started, signal.SIGTERM) == 3


def test_no_mail_is_kept(tmp_path: Path) -> None:
    body = "the body of it: QX7-marker"
    with journal(tmp_path / "records.jsonl") as started:
        assert started.send(report_mail(ORIGINAL + lines(body))) == 250
        assert started.send(ORIGINAL + lines(body)) == 250
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]
    assert b"QX7-marker" not in started.events.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--events FILE is needed"),
        (("--events", "x"), "journal.listen"),
        (("--events", "x", "--listen", "127.0.0.1:0"), "journal.addresses"),
        (("--events", "x", "--listen", "nowhere"), "must be an address and port"),
        (
            ("--events", "x", "--listen", "127.0.0.1:0", "--address", OURS, "--peer", "x"),
            "--peer must be a list of networks",
        ),
        (("--events", "/nowhere/x", "--listen", "127.0.0.1:0", "--address", OURS), "can't be written"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: tuple[str, ...], words: str) -> None:
    ended = mailsensor("journal", *arguments)
    assert ended.status == 1
    assert words in ended.words
    assert "Traceback" not in ended.words


def test_records_go_to_a_file_and_to_nothing_that_keeps_none(tmp_path: Path) -> None:
    """A copy is acknowledged, and its sender forgets it: what a pipe's reader has not read when it dies is nowhere."""
    os.mkfifo(tmp_path / "pipe")
    for place in ("-", tmp_path / "pipe", "/dev/null", tmp_path):
        ended = mailsensor("journal", "--events", place, "--listen", "127.0.0.1:0", "--address", OURS)
        assert ended.status == 1
        assert f"--events {place}: is no file" in ended.words
    settings = tmp_path / "sensor.toml"
    settings.write_text(f'[journal]\nlisten = "127.0.0.1:0"\naddresses = ["{OURS}"]\n[run]\nrecords = "-"\n')
    ended = mailsensor("run", "--config", settings)
    assert ended.status == 1
    assert "journal.listen needs a file as run.records" in ended.words


def test_a_port_that_an_mta_shares_is_refused(tmp_path: Path) -> None:
    """Postfix shares its ports: half of its mail would come here, and be refused for good."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = mailsensor("journal", "--events", tmp_path / "x", "--listen", where, "--address", OURS)
    assert ended.status == 1
    assert f"{where}: another program listens there" in ended.words


def test_the_service_takes_copies_in_beside_its_other_sources(tmp_path: Path) -> None:
    """What `run` acknowledged is in its records, in its ledger and in its metrics; SIGTERM loses nothing."""
    port, events = free_port(), tmp_path / "records.jsonl"
    more = (
        f'path = "{tmp_path / "ledger.db"}"\n[run]\nrecords = "{events}"\n'
        f'[journal]\nlisten = "127.0.0.1:{port}"\naddresses = ["{OURS}"]\n'
    )
    with running(tmp_path, more) as service:
        started = Journal(service.process, port, events)
        for number in range(20):
            assert started.send(numbered(number)) == 250
            assert number in recorded(events)
        service.until(lambda: service.metric("mailsensor_journal_copies_recorded_total") == 20, "counts")
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE_S) == 0
    assert recorded(events) == set(range(20))


def test_without_records_the_service_takes_no_copies(tmp_path: Path) -> None:
    settings = tmp_path / "sensor.toml"
    settings.write_text(f'[journal]\nlisten = "127.0.0.1:0"\naddresses = ["{OURS}"]\n')
    ended = mailsensor("run", "--config", settings)
    assert ended.status == 1
    assert "journal.listen needs a file as run.records" in ended.words
