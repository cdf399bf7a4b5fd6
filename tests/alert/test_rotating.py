"""A file of alerts is moved aside when it is full: no line is split or lost, and no more files are kept than asked."""

import os
from pathlib import Path

import msgspec
import pytest

from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, read_alert, record_of, to_line
from sensor.alert.sinks import open_file
from sensor.alert.sinks.base import Delivered, Sink, SinkError
from sensor.settings import FileSinkSettings
from tests.alert.findings import NOW_MS, finding, settings

(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")
LINE_OCTETS = len(to_line(RECORD))


def records(*numbers: int) -> list[AlertRecord]:
    return [msgspec.structs.replace(RECORD, id=f"{number:032x}") for number in numbers]


def opened(path: Path, *, lines: int = 2, keep: int = 3) -> Sink:
    # One octet less than so many lines: the last of them passes the bound.
    bound = FileSinkSettings(name="f", path=str(path), rotate_octets=lines * LINE_OCTETS - 1, keep_files=keep)
    return open_file(bound, durable=False)


def numbers(path: Path) -> list[int]:
    return [int(read_alert(line).id, 16) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


def test_a_full_file_is_moved_aside_and_the_oldest_goes(path: Path) -> None:
    sink = opened(path, keep=2)
    assert sink.deliver(records(0, 1, 2, 3)) == Delivered(4)
    assert sink.deliver(records(4, 5, 6)) == Delivered(3)
    sink.close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["alerts.jsonl", "alerts.jsonl.1", "alerts.jsonl.2"]
    assert numbers(path) == [6]
    assert numbers(Path(f"{path}.1")) == [4, 5]
    assert numbers(Path(f"{path}.2")) == [2, 3]


def test_a_later_run_goes_on_where_the_file_was(path: Path) -> None:
    for number in range(5):
        sink = opened(path)
        sink.deliver(records(number))
        sink.close()
    assert numbers(path) == [4]
    assert numbers(Path(f"{path}.1")) == [2, 3]


def test_none_is_kept_where_none_is_asked_for(path: Path) -> None:
    sink = opened(path, lines=1, keep=0)
    sink.deliver(records(0, 1, 2))
    sink.close()
    assert [each.name for each in path.parent.iterdir()] == ["alerts.jsonl"]
    assert numbers(path) == [2]


def test_a_file_that_somebody_else_moves_aside_is_begun_anew(path: Path) -> None:
    sink = opened(path, lines=9)
    sink.deliver(records(0))
    path.rename(path.with_name("moved"))
    sink.deliver(records(1))
    path.unlink()
    sink.deliver(records(2))
    sink.close()
    assert (numbers(path.with_name("moved")), numbers(path)) == ([0], [2])
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_can_not_be_moved_or_opened_is_a_problem_and_no_loss(path: Path) -> None:
    sink = opened(path)
    sink.deliver(records(0, 1))
    Path(f"{path}.2").touch()
    Path(f"{path}.3").mkdir()
    told = sink.deliver(records(2))
    assert told.count == 0
    assert told.problem is not None
    assert numbers(path) == [0, 1]
    Path(f"{path}.3").rmdir()
    assert sink.deliver(records(2)) == Delivered(1)
    sink.close()


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(SinkError, match="no regular file"):
            opened(tmp_path / name)
    with pytest.raises(SinkError, match="can't be written"):
        opened(tmp_path / "nowhere" / "alerts")
    sink = opened(tmp_path / "alerts")
    sink.close()
    assert sink.deliver(records(0)) == Delivered(0, problem="the sink is closed")
