"""The spool: what was taken is owed until it is delivered, whatever ends the process or damages the file."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert import spool as module
from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, record_of, to_line
from sensor.alert.spool import MAGIC, TIDY_OCTETS, Spool, SpoolError, SpoolFullError
from tests.alert.findings import NOW_MS, finding, settings

ROOT = Path(__file__).parent.parent.parent
(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")


def record(number: int, *, updates: int = 0) -> AlertRecord:
    return msgspec.structs.replace(RECORD, id=f"{number:032x}", updates=updates)


def opened(path: Path, max_octets: int = 10_000_000) -> Spool:
    return Spool(str(path), max_octets=max_octets, sync=False)


def numbers(spool: Spool, most: int = 1000) -> list[int]:
    return [int(each.record.id, 16) for each in spool.owed(most)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "jsonl.spool"


def test_records_are_owed_in_order_until_they_are_settled(path: Path) -> None:
    spool = opened(path)
    for number in range(5):
        spool.add(record(number))
    batch = spool.owed(3)
    spool.trying(batch)
    spool.settle(batch, 2, 0)
    assert numbers(spool) == [2, 3, 4]
    assert (spool.counters.added, spool.counters.delivered) == (5, 2)


def test_another_process_finds_what_is_owed(path: Path) -> None:
    spool = opened(path)
    for number in range(5):
        spool.add(record(number))
    batch = spool.owed(2)
    spool.trying(batch)
    spool.settle(batch, 2, 0)
    spool.close()
    again = opened(path)
    assert numbers(again) == [2, 3, 4]
    assert [each.maybe_delivered for each in again.owed(9)] == [False, False, False]
    again.add(record(5))
    assert numbers(again) == [2, 3, 4, 5]


def test_what_was_being_tried_at_the_end_is_marked(path: Path) -> None:
    spool = opened(path)
    for number in range(3):
        spool.add(record(number))
    spool.trying(spool.owed(2))
    spool.close()
    assert [each.maybe_delivered for each in opened(path).owed(9)] == [True, True, False]


def test_what_surely_did_not_arrive_is_not_marked(path: Path) -> None:
    spool = opened(path)
    for number in range(3):
        spool.add(record(number))
    batch = spool.owed(3)
    spool.trying(batch)
    spool.settle(batch, 1, 1)
    assert [(int(each.record.id, 16), each.maybe_delivered) for each in spool.owed(9)] == [(1, True), (2, False)]


def test_one_process_at_a_time(path: Path) -> None:
    spool = opened(path)
    with pytest.raises(SpoolError, match="another process"):
        opened(path)
    spool.close()
    opened(path).close()


def test_at_the_bound_outdated_tellings_give_way_first(path: Path) -> None:
    spool = opened(path, 40_000)
    for updates in range(100):
        spool.add(record(updates % 2, updates=updates))
    assert spool.octets <= 40_000
    assert [each.record.updates for each in spool.owed(99)][-2:] == [98, 99]
    assert spool.counters.refused == 0
    assert spool.counters.outdated > 50


def test_at_the_bound_what_came_first_stays_and_the_newest_is_refused(path: Path) -> None:
    spool = opened(path, 40_000)
    while spool.octets + len(to_line(RECORD)) + 21 <= 40_000:
        spool.add(record(len(spool)))
    kept = numbers(spool)
    assert kept == list(range(len(kept)))
    assert len(kept) > 3
    with pytest.raises(SpoolFullError, match="full at"):
        spool.add(record(100))
    with pytest.raises(SpoolFullError):
        spool.add(record(200))
    spool.add(record(0, updates=1))
    assert sorted(numbers(spool)) == kept
    assert spool.counters.refused == 2


def test_compacting_survives_a_restart(path: Path) -> None:
    spool = opened(path, 40_000)
    for updates in range(30):
        spool.add(record(updates % 2, updates=updates))
    owed = [(each.number, each.record) for each in spool.owed(99)]
    spool.close()
    assert [(each.number, each.record) for each in opened(path).owed(99)] == owed
    assert not path.with_name("jsonl.spool.new").exists()


def test_an_empty_spool_is_cut_back(path: Path) -> None:
    spool = opened(path)
    while spool.octets <= TIDY_OCTETS:
        spool.add(record(1))
    batch = spool.owed(10_000)
    spool.settle(batch, len(batch), 0)
    assert spool.octets < 200
    assert path.stat().st_size == spool.octets
    spool.add(record(7))
    spool.close()
    assert numbers(opened(path)) == [7]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("spool") / "a.spool"
    spool = opened(path)
    for number in range(4):
        spool.add(record(number))
    spool.trying(spool.owed(2))
    spool.settle(spool.owed(2), 1, 0)
    spool.close()
    return path.read_bytes()


def test_a_tail_torn_anywhere_costs_only_what_it_tore(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "torn.spool"
    known: list[list[int]] = []
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        spool = opened(path)
        known.append(numbers(spool))
        spool.add(record(9))
        spool.close()
        spool = opened(path)
        assert numbers(spool) == [*known[-1], 9]
        assert spool.counters.damaged_octets == 0
        spool.close()
    assert known[0] == []
    assert [0, 1, 2, 3] in known


@given(st.data())
def test_damage_costs_only_what_it_hit(content: bytes, data: st.DataObject) -> None:
    """Any octets overwritten: opening works, and at most two entries are missed."""
    at = data.draw(st.integers(len(MAGIC), len(content) - 1))
    hit = data.draw(st.binary(min_size=1, max_size=40))
    damaged = content[:at] + hit + content[at + len(hit) :]
    path = Path(f"/dev/shm/mailsensor-test-{os.getpid()}.spool")  # noqa: S108 - many files, and none worth a disk
    path.write_bytes(damaged)
    try:
        spool = opened(path)
        assert len({0, 1, 2, 3} - set(numbers(spool))) <= 3
        assert numbers(spool) == sorted(numbers(spool))
        spool.close()
    finally:
        path.unlink()


@given(st.binary(max_size=300))
def test_any_octets_behind_the_magic_are_no_trouble(tail: bytes) -> None:
    path = Path(f"/dev/shm/mailsensor-test-{os.getpid()}.spool")  # noqa: S108 - as above
    path.write_bytes(MAGIC + tail)
    try:
        spool = opened(path)
        assert numbers(spool) == []
        assert spool.counters.damaged_octets == len(tail)
        spool.close()
    finally:
        path.unlink()


def test_a_file_that_is_no_spool_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary, ...")
    with pytest.raises(SpoolError, match=r"notes\.txt: is no spool of ours, and is left as it is"):
        opened(path)
    assert path.read_text() == "dear diary, ..."


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("sensor.alert.spool.fcntl.flock", refuse)
    with pytest.raises(SpoolError, match=f"can't be locked: {os.strerror(errno.ENOLCK)}"):
        opened(path)


def test_a_folder_that_the_disk_does_not_sync_costs_nothing_that_is_added_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was replaced by then: what is added has to go into the new one."""

    def refuse(_path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    spool = opened(path)
    for number in range(1 + TIDY_OCTETS // len(to_line(record(0)))):
        spool.add(record(number))
    batch = spool.owed(1_000)
    with monkeypatch.context() as patched:
        patched.setattr("sensor.alert.spool.sync_folder", refuse)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            spool.settle(batch, len(batch), 0)
    spool.add(record(1_000))
    spool.close()
    assert numbers(opened(path)) == [1_000]


def test_a_folder_that_cannot_be_made_is_an_error_with_its_name() -> None:
    with pytest.raises(SpoolError, match="/proc/nowhere"):
        Spool("/proc/nowhere/a.spool", max_octets=1_000_000)


FILL = """
    import resource, sys
    from tests.alert.test_spool import Path, opened, record
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool, kept = opened(Path(sys.argv[1])), 0
    try:
        for number in range(100):
            spool.add(record(number))
            kept += 1
    except OSError as error:
        print(kept, type(error).__name__, spool.octets)
"""

KILLED = """
    import os, sys
    from tests.alert.test_spool import Path, opened, record
    spool = opened(Path(sys.argv[1]))
    for number in range(1000):
        spool.add(record(number))
        batch = spool.owed(1)
        spool.trying(batch)
        os.write(1, b"%d\\n" % int(batch[0].record.id, 16))      # the delivery
        if number % 3:
            spool.settle(batch, 1, 0)
"""


def python(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_a_full_disk_costs_the_record_that_hit_it_and_no_other(path: Path) -> None:
    path.parent.mkdir()
    process = python(FILL, path)
    out, _ = process.communicate(timeout=60)
    kept, error, octets = out.split()
    assert error == "OSError"
    assert path.stat().st_size == int(octets)
    assert numbers(opened(path)) == list(range(int(kept)))


class FullDisk:
    """In place of what writes: refuses while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = True
        self._write = module._write_all  # noqa: SLF001 - a disk that is full can't be had otherwise
        monkeypatch.setattr(module, "_write_all", self)

    def __call__(self, file: int, octets: bytes) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write(file, octets)


def add_refused(spool: Spool, *added: int) -> None:
    for number in added:
        with pytest.raises(OSError, match="No space left"):
            spool.add(record(number))


def test_what_a_full_disk_refuses_is_owed_and_written_once_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(path)
    spool.add(record(0))
    disk = FullDisk(monkeypatch)
    add_refused(spool, 1, 2, 3)
    assert (numbers(spool), spool.unkept) == ([0, 1, 2, 3], 3)
    with pytest.raises(OSError, match="No space left"):
        spool.settle(spool.owed(2), 2, 0)
    assert (numbers(spool), spool.unkept) == ([2, 3], 2)
    disk.is_full = False
    spool.trying(spool.owed(1))
    assert spool.unkept == 0
    spool.add(record(4))
    spool.close()
    again = opened(path).owed(10)
    assert [int(each.record.id, 16) for each in again] == [2, 3, 4]
    assert [each.maybe_delivered for each in again] == [True, False, False]


def test_what_a_full_disk_refuses_takes_no_more_memory_than_the_spool_may_have(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(path, max_octets=10 * len(to_line(RECORD)))
    FullDisk(monkeypatch)
    add_refused(spool, *range(9))
    with pytest.raises(SpoolFullError):
        spool.add(record(9))
    assert len(spool) == spool.unkept == 9
    assert spool.counters.refused == 1


def test_after_kill_minus_nine_nothing_is_lost_and_doubles_are_marked(path: Path) -> None:
    process = python(KILLED, path)
    assert process.stdout is not None
    delivered = [int(process.stdout.readline()) for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    delivered += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    owed = opened(path).owed(5000)
    ids = [int(each.record.id, 16) for each in owed]
    # Whatever was added is delivered or owed; what is both is marked.
    assert set(range(max(delivered) + 1)) <= set(delivered) | set(ids)
    assert {int(each.record.id, 16) for each in owed if not each.maybe_delivered}.isdisjoint(delivered)
