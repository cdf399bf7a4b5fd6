"""What is too old is deleted: from the store, from memory, and of the files that lines are added to."""

import os
import shutil
import time
from functools import partial
from pathlib import Path

import pytest

from sensor.app.keeping import Keeper
from sensor.app.retention import DOUBT_S, EVERY_S, AgingFile, Retention, time_of
from sensor.database import DAY_S, Database, today
from tests.running import ROOT, mailsensor
from tests.service import SIEVE, Service, running
from tests.test_metrics import analysis_of, forwarding


class Clocks:
    """A wall clock that may be set, and one that only rises."""

    def __init__(self) -> None:
        self.wall_s, self.steady_s = 20_000.0 * DAY_S, 50.0

    def retention(self, keep_days: int = 30) -> Retention:
        return Retention(keep_days, wall=lambda: self.wall_s, steady=lambda: self.steady_s)

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


def test_each_hour_it_is_said_from_which_day_on_things_are_kept() -> None:
    clocks = Clocks()
    retention = clocks.retention()
    assert [retention.due(), retention.due()] == [19_970, None]
    clocks.pass_s(EVERY_S)
    assert retention.due() == 19_970
    clocks.pass_s(2 * DAY_S)
    assert retention.due() == 19_972


def test_without_days_nothing_is_ever_too_old() -> None:
    clocks = Clocks()
    assert clocks.retention(0).due() is None


@pytest.mark.parametrize("step_s", [10 * 365 * DAY_S, -10 * 365 * DAY_S, 2 * 3_600.0, -2 * 3_600.0])
def test_a_clock_that_was_set_deletes_nothing_for_a_day(step_s: float) -> None:
    clocks = Clocks()
    retention = clocks.retention()
    retention.due()
    clocks.pass_s(EVERY_S)
    clocks.wall_s += step_s
    assert (retention.due(), retention.was_set) == (None, True)
    clocks.pass_s(DOUBT_S - 1)
    assert (retention.due(), retention.was_set) == (None, False)
    clocks.pass_s(1)
    assert retention.due() == int(clocks.wall_s // DAY_S) - 30


def test_a_clock_that_is_set_back_in_time_harms_nothing() -> None:
    clocks = Clocks()
    retention = clocks.retention()
    retention.due()
    clocks.wall_s += 10 * 365 * DAY_S
    assert retention.due() is None
    clocks.pass_s(3_600)
    clocks.wall_s -= 10 * 365 * DAY_S
    clocks.pass_s(DOUBT_S - 3_600)
    assert retention.due() is None
    clocks.pass_s(DOUBT_S)
    assert retention.due() == 20_002 - 30


def test_clocks_that_drift_are_not_taken_for_set() -> None:
    clocks = Clocks()
    retention = clocks.retention()
    retention.due()
    clocks.pass_s(EVERY_S)
    clocks.wall_s += 60
    assert retention.due() is not None
    assert not retention.was_set


# ---- the store


def test_a_mailbox_that_is_not_seen_is_forgotten_on_disk_and_in_memory(tmp_path: Path) -> None:
    from sensor.ledger import Ledger

    days = [100]
    path = str(tmp_path / "ledger.db")
    ledger = Ledger()
    analysis = analysis_of(ledger)
    forwarding(ledger, "zebra@corp.example", 2)
    forwarding(ledger, "kim@corp.example", 2)
    with Database(path, day=lambda: days[0]) as database:
        keeper = Keeper(database)
        keeper.keep(analysis, (), sensor="s")
        days[0] = 140
        forwarding(ledger, "kim@corp.example", 1)
        keeper.keep(analysis, (), sensor="s")
        assert keeper.expire(analysis, 110) == []
        assert [name for name, _ in database.states("account")] == ["kim@corp.example"]
        assert ledger.account("zebra@corp.example") is None
        assert [name for name, _, _ in ledger.forwarders()] == ["kim@corp.example"]
        keeper.keep(analysis, (), sensor="s")
        assert [name for name, _ in database.states("account")] == ["kim@corp.example"]
    assert b"zebra" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def aged(store: Path, days: int) -> None:
    """Make all that is in a store look as if it was kept so long ago."""
    with Database(str(store)) as database:
        connection = database._connection  # noqa: SLF001 - time can't be waited for
        connection.execute("UPDATE state SET changed_on = changed_on - ?", (days,))
        connection.execute("UPDATE capture SET counted_at = ?", (time_of(today() - days),))


def test_a_run_deletes_what_it_did_not_see_for_long(tmp_path: Path) -> None:
    """Accounts, and captures that were counted. What a run changed is not old, and an alert that fires stays."""
    store, settings = tmp_path / "kept" / "ledger.db", tmp_path / "settings.toml"
    store.parent.mkdir()
    settings.write_text('[organisation]\ninternal_domains = ["corp.example"]\n[store]\nkeep_days = 30\n')
    other = ROOT / "pcaps" / "lab_virtual_alias" / "input.pcap"
    for capture, days in ((SIEVE, 31), (other, 0)):
        assert mailsensor("replay", capture, "--store", store, "--settings", settings).status == 0
        aged(store, days)
    kept = mailsensor("report", "mailboxes", "--store", store, "--format", "json").out
    assert b"fay@corp.example" not in kept
    assert len(kept.splitlines()) == 1
    with Database(str(store), writes=False) as database:
        names = [name for name, _ in database.states("account")]
        assert not [name for name in names if "peter" in name]
        assert len(list(database.states("told"))) > 1
    ended = mailsensor("replay", SIEVE, "--store", store, "--once", "--settings", settings)
    assert "counted before" not in ended.words


def test_a_store_that_is_kept_younger_loses_nothing(tmp_path: Path) -> None:
    store, settings = tmp_path / "ledger.db", tmp_path / "settings.toml"
    settings.write_text('[organisation]\ninternal_domains = ["corp.example"]\n[store]\nkeep_days = 30\n')
    assert mailsensor("replay", SIEVE, "--store", store, "--settings", settings).status == 0
    aged(store, 29)
    before = mailsensor("report", "mailboxes", "--store", store, "--format", "json").out
    other = ROOT / "pcaps" / "lab_virtual_alias" / "input.pcap"
    assert mailsensor("replay", other, "--store", store, "--settings", settings).status == 0
    assert before.splitlines()[0] in mailsensor("report", "mailboxes", "--store", store, "--format", "json").out


# ---- files


def touched(path: Path, day: int, octets: bytes = b"line\n") -> Path:
    path.write_bytes(octets)
    os.utime(path, (day * DAY_S + 10, day * DAY_S + 10))
    return path


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_files_that_were_moved_aside_long_ago_are_deleted(tmp_path: Path) -> None:
    path = touched(tmp_path / "a", 100)
    for number, day in ((1, 99), (2, 80), (3, 69), (4, 10)):
        touched(Path(f"{path}.{number}"), day)
    assert not AgingFile(str(path), keep_files=8, keep_days=30).expire(70)
    assert names(tmp_path) == ["a", "a.1", "a.2"]


def test_a_file_that_was_begun_long_ago_is_moved_aside(tmp_path: Path) -> None:
    """An alert file may take years to reach its size."""
    path = touched(tmp_path / "a", 100, b"new\n")
    touched(Path(f"{path}.1"), 97)
    file = AgingFile(str(path), keep_files=8, keep_days=30)
    assert not file.expire(99 - 30)
    assert file.expire(100 - 30)
    assert names(tmp_path) == ["a.1", "a.2"]
    assert (tmp_path / "a.1").read_bytes() == b"new\n"


def test_a_file_of_which_nobody_knows_when_it_was_begun_is_moved_aside(tmp_path: Path) -> None:
    path = touched(tmp_path / "a", 100)
    assert AgingFile(str(path), keep_files=8, keep_days=30).expire(70)
    assert names(tmp_path) == ["a.1"]
    touched(path, 100, b"")
    assert not AgingFile(str(path), keep_files=8, keep_days=30).expire(90)


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    file = AgingFile(str(tmp_path / "pipe"), rotate_octets=1, keep_files=8, keep_days=30)
    assert not file.is_full()
    assert not file.expire(70)
    assert not AgingFile("/dev/null", rotate_octets=1, keep_files=8, keep_days=30).is_full()


def _has_read(service: Service, batches: int) -> bool:
    return service.metric("mailsensor_batches_total") >= batches


def test_a_running_sensor_moves_full_files_aside_and_loses_no_line(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    more = (
        f'rotate_octets = 6_000\nkeep_files = 50\n[run]\nrecords = "records"\nalerts = "alerts"\n'
        f'[capture]\nfolder = "{folder}"\nsettle_s = 0\n'
    )
    captures = sorted((ROOT / "pcaps").glob("lab_forward_*/input.pcap"))[:3]
    with running(tmp_path, more) as service:
        for number, capture in enumerate((SIEVE, *captures), start=1):
            shutil.copy(capture, folder / f"{number}.pcap")
            service.until(partial(_has_read, service, number), "the batch")
        mails = service.metric("mailsensor_transactions_total") + service.metric(
            "mailsensor_sessions_total", privacy="tls"
        )
        time.sleep(0.3)
        assert service.end() == 0
    records = list(tmp_path.glob("records*"))
    assert len(records) > 1
    assert sum(len(each.read_bytes().splitlines()) for each in records) == mails
    assert len(list(tmp_path.glob("alerts*"))) > 1
    for each in (*records, *tmp_path.glob("alerts*")):
        assert each.stat().st_mode & 0o777 == 0o600
