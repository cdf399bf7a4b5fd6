"""The running sensor's parts in the test's own process: what a reload that fails or is given up leaves behind."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sensor.app import crew, reload
from sensor.app.build import Plan, TapPlan, plan_of
from sensor.app.sensor import Sensor
from sensor.classify import builtin_table
from sensor.log import Log
from sensor.model import TapName, TlsSession, Transaction
from sensor.taps.base import Batch, DamageView
from sensor.taps.capture import CaptureTap, transaction_types
from tests.service import SIEVE, free_port
from tests.waiting import until

MILTER = '[milter]\nlisten = ["unix:{at}"]\nsocket_access = "owner"\n'


def write_settings(folder: Path, *, milter: str = "first.sock", more: str = "") -> Path:
    """Settings of a sensor that writes records and serves as a milter in *folder*."""
    path = folder / "sensor.toml"
    (folder / "out").mkdir(exist_ok=True)
    path.write_text(f'[run]\nrecords = "{folder}/out/records.jsonl"\n{MILTER.format(at=folder / milter)}{more}')
    return path


@contextmanager
def sensing(settings: Path, log: io.StringIO | None = None) -> Iterator[Sensor]:
    """A sensor that was started, with the turns left to the test."""
    with Sensor(
        plan_of(str(settings), {}), load=lambda: plan_of(str(settings), {}), log=Log(log or io.StringIO())
    ) as sensor:
        sensor.start()
        yield sensor


def can_connect(path: Path) -> bool:
    """True if somebody listens there: a milter does once its thread runs."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_a_reload_that_can_not_open_the_records_anew_changes_nothing(tmp_path: Path) -> None:
    """The folder of the record file was moved away: neither settings nor sources may be half new."""
    settings = write_settings(tmp_path)
    with sensing(settings) as sensor:
        until(lambda: can_connect(tmp_path / "first.sock"), "the milter")
        port = free_port()
        journal = f'[journal]\nlisten = "127.0.0.1:{port}"\naddresses = ["journal@corp.example"]\n'
        write_settings(tmp_path, milter="second.sock", more=f"{journal}[web]\nallow_reload = true\n")
        (tmp_path / "out").rename(tmp_path / "away")
        answer = sensor.request_reload()
        sensor.turn(0)
        problem = answer.result(0)
        assert problem is not None
        assert "records.jsonl" in problem
        assert not sensor.allows_reload()
        assert can_connect(tmp_path / "first.sock")
        assert list(tmp_path.glob("second.sock*")) == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        (tmp_path / "away").rename(tmp_path / "out")
        answer = sensor.request_reload()
        sensor.turn(0)
        assert answer.result(0) is None
        until(lambda: can_connect(tmp_path / "second.sock"), "the milter at its new address")


class Slow:
    """A source with one batch, handed over *seconds* after it was told to stop: as sessions end."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._stopped = seconds, threading.Event()

    @property
    def name(self) -> TapName:
        return "relay"

    @property
    def transaction_type(self) -> type[Transaction]:
        return transaction_types()[0]

    @property
    def session_type(self) -> type[TlsSession]:
        return transaction_types()[1]

    def batches(self) -> Iterator[Batch]:
        self._stopped.wait()
        threading.Event().wait(self._seconds)
        yield _core_batch()

    def stop(self) -> None:
        self._stopped.set()

    def progress(self) -> tuple[int, int, str]:
        return 0, 0, ""

    def counters(self) -> Mapping[str, int]:
        return {}

    def anomalies(self) -> Mapping[str, int]:
        return {}

    def damage(self) -> Sequence[DamageView]:
        return ()


def _core_batch() -> Batch:
    tap = CaptureTap([str(SIEVE)], builtin_table().interest)
    return next(each for each in tap.batches() if len(each))


def test_an_end_soon_after_a_reload_waits_for_the_source_that_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its last sessions brought is counted and kept."""
    seconds = iter((2.0, 0.0))

    def taps_of(plan: Plan, *_: object) -> dict[str, TapPlan]:
        return {"slow": TapPlan(lambda: Slow(next(seconds)), goes_on=True, what=plan.settings.milter)}

    monkeypatch.setattr(crew, "taps_of", taps_of)
    monkeypatch.setattr(reload, "taps_of", taps_of)
    with sensing(write_settings(tmp_path)) as sensor:
        write_settings(tmp_path, milter="second.sock")
        answer = sensor.request_reload()
        sensor.turn(0)
        assert answer.result(0) is None
        sensor.drain()
        assert sensor.counts.value("batches", ()) == 2


def test_a_reload_that_nobody_waits_for_any_more_ends_no_sensor(tmp_path: Path) -> None:
    """A client's patience ends before a sensor that is busy has its turn."""
    with sensing(write_settings(tmp_path)) as sensor:
        given_up, wanted = sensor.request_reload(), sensor.request_reload()
        assert given_up.cancel()
        sensor.turn(0)
        assert wanted.result(0) is None
