"""
A sensor on live mail for long: killed again and again, out of disk, and simply left alone.

Each lasts some seconds; with SOAK_S=1800 in the environment, that many.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sensor.analysis import ACCOUNT
from sensor.database import Database
from sensor.ledger import Ledger
from tests.app.traffic import Traffic, steady
from tests.running import needs
from tests.service import Service, running

CHECKPOINT_S = 1.0
# Beside the interval of saves: what a save takes, and the turn that notices that one is due, on a busy machine.
SLACK_S = 1.5


def seconds(least: float) -> float:
    return max(least, float(os.environ.get("SOAK_S", "0")))


@pytest.fixture(autouse=True)
def _right_to_capture() -> None:
    if os.geteuid() != 0:
        pytest.skip("capturing takes root, or CAP_NET_RAW")


def on_loopback(traffic: Traffic, store: Path | None = None, more: str = "") -> str:
    where = f'path = "{store}"\n' if store else ""
    return f'{where}[live]\ninterfaces = ["lo"]\nports = [{traffic.port}]\nring_octets = 4_194_304\n{more}'


def captures(service: Service) -> None:
    service.until(lambda: service.metric("mailsensor_interface_up", interface="lo") == 1, "the interface")


def received(store: Path, mailboxes: int, traffic: Traffic) -> list[int]:
    """By number of the mailbox, the mails that a store says it received."""
    ledger = Ledger()
    with Database(str(store), writes=False) as database:
        for mailbox, blob in database.states(ACCOUNT):
            assert ledger.restore(mailbox, blob) is None
    now_ms = int(time.time() * 1_000)
    return [ledger.activity(traffic.mailbox(number), now_ms).received_7d for number in range(mailboxes)]


def test_a_sensor_killed_at_any_time_counts_no_mail_twice_and_loses_the_seconds_it_says(tmp_path: Path) -> None:
    store, kills, draw = tmp_path / "ledger.db", list[tuple[float, float]](), random.Random(1)  # noqa: S311 - a dice, no secret
    end = time.monotonic() + seconds(12)
    with steady(60, mailboxes=1_000_000) as traffic:
        killed_at = None
        while True:
            with running(tmp_path, on_loopback(traffic, store)) as service:
                captures(service)
                if killed_at is not None:
                    kills.append((killed_at, time.monotonic()))
                if time.monotonic() > end:
                    time.sleep(2)
                    traffic.stop()
                    time.sleep(0.5)
                    assert service.end() == 0
                    break
                time.sleep(draw.uniform(1.2, 3.5))
                killed_at = time.monotonic()
                service.end(signal.SIGKILL)
        sent = traffic.sent
    counts = received(store, len(sent), traffic)
    assert len(kills) >= 2
    assert max(counts) == 1
    # Sessions that pass while none captures are not seen; the first was captured before it is known to be up.
    first_up = next(at for number, at in enumerate(sent) if counts[number])
    away = [(killed - CHECKPOINT_S - SLACK_S, up + SLACK_S) for killed, up in kills]
    lost = [at for number, at in enumerate(sent) if not counts[number] and at > first_up]
    assert [at for at in lost if not any(begin <= at <= end for begin, end in away)] == []


def test_memory_stays_flat_under_steady_mail(tmp_path: Path) -> None:
    """The mailboxes are more than may be kept, so that what is full is the ledger and not the machine."""
    limits = "[limits]\nledger_mailboxes = 500\nledger_recent_mails = 1_000\npairing_originals = 1_000\n"
    with steady(250, mailboxes=100_000) as traffic, running(tmp_path, on_loopback(traffic, None, limits)) as service:
        captures(service)
        service.until(lambda: service.metric("mailsensor_transactions_total") > 1_500, "the ledger is full")
        # Tables of flows and pools of memory fill for some minutes: a long soak waits for that too.
        time.sleep(min(seconds(0) / 4, 300))
        before = resident_kib(service)
        mails = service.metric("mailsensor_transactions_total")
        time.sleep(seconds(10))
        after = resident_kib(service)
        assert service.metric("mailsensor_transactions_total") > mails + 500
        assert service.metric("mailsensor_interface_dropped_total", interface="lo") == 0
        assert service.end() == 0
    assert after - before < 6_000, f"{before} KiB before, {after} KiB after"


def resident_kib(service: Service) -> int:
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@contextmanager
def small_disk(folder: Path, octets: int) -> Iterator[Path]:
    """A file system of *octets* in all."""
    disk = folder / "disk"
    disk.mkdir()
    done = subprocess.run(
        [needs("mount", "mount"), "-t", "tmpfs", "-o", f"size={octets}", "tmpfs", disk],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"this machine mounts no file systems: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run([needs("umount", "mount"), disk], check=True)


def test_a_full_disk_stops_no_capture_and_what_was_not_saved_is_saved_when_there_is_room(tmp_path: Path) -> None:
    # Room for the records of a hundred seconds: the first save comes before they fill it, on a slow machine too.
    with small_disk(tmp_path, 16 << 20) as disk, steady(100, mailboxes=300) as traffic:
        more = f'[run]\nrecords = "{disk / "records.jsonl"}"\n'
        with running(tmp_path, on_loopback(traffic, disk / "ledger.db", more)) as service:
            captures(service)
            # And the one that was on its way.
            early = len(traffic.sent) + 1
            service.until(lambda: service.metric("mailsensor_store_saves_total", result="good") >= 1, "a first save")
            filler = disk / "filler"
            fill(filler)
            service.until(lambda: service.metric("mailsensor_store_saves_total", result="failed") >= 3, "failed saves")
            service.until(lambda: service.metric("mailsensor_record_failures_total") >= 1, "a record that fails")
            assert service.log.count("not_saved") < service.metric("mailsensor_store_saves_total", result="failed")
            unwritten = service.metric("mailsensor_records_unwritten_total")
            assert unwritten >= service.metric("mailsensor_record_failures_total")
            seen = service.metric("mailsensor_transactions_total")
            service.until(lambda: service.metric("mailsensor_transactions_total") > seen + 50, "capture goes on")
            assert service.ask("/-/healthy").status == 200
            # Once each time that it begins: a batch small enough for the last octets of room ends one such time.
            assert 1 <= service.log.count("records_not_written") <= service.metric("mailsensor_record_failures_total")
            filler.unlink()
            good = service.metric("mailsensor_store_saves_total", result="good")
            service.until(lambda: service.metric("mailsensor_store_saves_total", result="good") > good, "a good save")
            assert "saved_again" in service.log
            traffic.stop()
            time.sleep(0.5)
            assert service.end() == 0
            mails = len(traffic.sent)
        unseen = mails - sum(received(disk / "ledger.db", 300, traffic))
        assert 0 <= unseen <= early, "but for those sent before it captured, all were counted and saved"


def fill(path: Path) -> None:
    """Whoever else writes meanwhile may take the last of the room: then it is full as well."""
    with path.open("wb", buffering=0) as out, suppress(OSError):
        out.write(bytes(shutil.disk_usage(path.parent).free))
