"""
A sensor that reads a capture while it watches something else saves meanwhile, and a kill at any batch costs no mail and
counts none twice.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from sensor import _core
from sensor.app import build, crew
from sensor.app.build import Plan, TapPlan, plan_of
from sensor.app.sensor import Sensor
from sensor.classify import builtin_table
from sensor.database import Database
from sensor.log import Log
from sensor.model import TapName, TlsSession, Transaction
from sensor.taps.base import Batch, DamageView
from sensor.taps.capture import transaction_types
from sensor.taps.folder import CapturesTap, Reading, reading_of
from tests.running import ROOT

CAPTURES = [str(path) for path in sorted((ROOT / "pcaps").glob("lab_*/input.pcap"))[:24]]
PER_BATCH = 3
INTEREST = builtin_table().interest


class Quiet:
    """A source that goes on for ever and gives nothing."""

    def __init__(self) -> None:
        self._stopped = False

    @property
    def name(self) -> TapName:
        return "live"

    @property
    def transaction_type(self) -> type[Transaction]:
        return transaction_types()[0]

    @property
    def session_type(self) -> type[TlsSession]:
        return transaction_types()[1]

    def batches(self) -> Iterator[Batch]:
        while not self._stopped:
            time.sleep(0.01)
        yield from ()

    def stop(self) -> None:
        self._stopped = True

    def progress(self) -> tuple[int, int, str]:
        return 0, 0, ""

    def counters(self) -> Mapping[str, int]:
        return {}

    def anomalies(self) -> Mapping[str, int]:
        return {}

    def damage(self) -> Sequence[DamageView]:
        return ()


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "Replay", partial(_core.Replay, batch_events=PER_BATCH))


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another source at work beside those of the settings."""

    def taps_of(plan: Plan, begun: set[str], resumes: dict[str, Reading], keys: None) -> dict[str, TapPlan]:
        return {**build.taps_of(plan, begun, resumes, keys), "quiet": TapPlan(Quiet, goes_on=True, what="quiet")}

    monkeypatch.setattr(crew, "taps_of", taps_of)


def sensor(folder: Path) -> Sensor:
    path = folder / "settings.toml"
    files = ", ".join(f'"{each}"' for each in CAPTURES)
    path.write_text(
        f'[organisation]\ninternal_domains = ["corp.example"]\n[capture]\nfiles = [{files}]\n[web]\nlisten = ""\n'
        f'[store]\npath = "{folder / "kept.db"}"\ncheckpoint_s = 3_600\n'
    )
    return Sensor(plan_of(str(path), {}), load=lambda: plan_of(str(path), {}), log=Log(level="error"))


def turn_until(running: Sensor, batches: int) -> int:
    """Take so many batches, or all; how many were taken."""
    running.start()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        taken = int(running.counts.value("batches", ()))
        if taken >= batches or (not running._saver.readings and taken):  # noqa: SLF001
            return taken
        running.turn(0.05)
    raise AssertionError("it never came so far")


def counted(folder: Path) -> dict[str, bytes]:
    with Database(str(folder / "kept.db"), writes=False) as database:
        return {key: blob for key, blob in database.states("seen") if key in ("coverage", "since_ms")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """What is counted without an interruption, and in how many batches."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_core, "Replay", partial(_core.Replay, batch_events=PER_BATCH))
        with sensor(folder) as running:
            batches = turn_until(running, 10**9)
            running.drain()
    return counted(folder), batches


@pytest.mark.usefixtures("beside")
def test_a_kill_at_any_batch_counts_every_mail_once(tmp_path: Path, whole: tuple[dict[str, bytes], int]) -> None:
    expected, batches = whole
    assert batches > 10
    for number in range(1, batches, 4):
        folder = tmp_path / str(number)
        folder.mkdir()
        with sensor(folder) as killed:
            turn_until(killed, number)
            assert killed._saver.may_save(killed._crew)  # noqa: SLF001
            killed._save()  # noqa: SLF001
            # What is read after the last save is lost with the process, and read again.
            turn = int(killed.counts.value("batches", ()))
            killed.turn(0.05)
            assert int(killed.counts.value("batches", ())) <= turn + 1
        with sensor(folder) as again:
            turn_until(again, 10**9)
            again.drain()
            assert not again._saver.readings  # noqa: SLF001
        assert counted(folder) == expected


@pytest.mark.usefixtures("beside")
def test_sigterm_in_a_capture_saves_and_goes_on(tmp_path: Path, whole: tuple[dict[str, bytes], int]) -> None:
    with sensor(tmp_path) as stopped:
        turn_until(stopped, 5)
        stopped.drain()
    with sensor(tmp_path) as again:
        turn_until(again, 10**9)
        again.drain()
    assert counted(tmp_path) == whole[0]


def test_of_captures_alone_nothing_is_saved_before_their_end(tmp_path: Path) -> None:
    """Read again as a whole they give what they would have given, copies across the break included."""
    with sensor(tmp_path) as running:
        turn_until(running, 5)
        assert not running._saver.may_save(running._crew)  # noqa: SLF001


def test_captures_that_changed_meanwhile_are_read_from_their_beginning(tmp_path: Path) -> None:
    path = tmp_path / "1.pcap"
    path.write_bytes(Path(CAPTURES[0]).read_bytes())
    left = reading_of([str(path)])
    left = Reading(captures=left.captures, batches=1, events=10**6)

    def read(resumes: Reading) -> int:
        tap = CapturesTap([str(path)], INTEREST, resumes=resumes)
        return sum(len(batch) for batch in tap.batches())

    assert read(left) == 0
    path.write_bytes(Path(CAPTURES[1]).read_bytes())
    assert read(left) > 0


def test_batches_that_are_cut_otherwise_are_lost_rather_than_counted_twice() -> None:
    left = Reading(captures=reading_of(CAPTURES).captures, batches=1, events=1)
    first, *others = (len(batch) for batch in CapturesTap(CAPTURES, INTEREST).batches() if len(batch))
    tap = CapturesTap(CAPTURES, INTEREST, resumes=left)
    assert (sum(len(batch) for batch in tap.batches()), tap.events_lost) == (sum(others), first - 1)
