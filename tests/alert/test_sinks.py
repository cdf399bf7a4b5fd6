"""The contract of sinks: slow, failing, closed or full, what arrived is told exactly, and nothing is lost."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from sensor.alert.courier import BATCH, FIRST_RETRY_S, LONGEST_RETRY_S, Courier, deliver_all
from sensor.alert.out import FORMATS, open_alerts
from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, record_of, to_line
from sensor.alert.sinks import FILE_SINKS, Delivered, Sink
from sensor.alert.sinks.base import SinkError
from sensor.alert.spool import Spool, SpoolError
from sensor.log import Log
from tests.alert.findings import NOW_MS, finding, settings

Open = Callable[..., Sink]
(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")


def records(count: int) -> list[AlertRecord]:
    return [msgspec.structs.replace(RECORD, id=f"{number:032x}") for number in range(count)]


def ids(content: bytes, form: str) -> list[int]:
    lines = [json.loads(line) for line in content.splitlines()]
    return [int(line["id"] if form == "jsonl" else line["finding_info"]["uid"], 16) for line in lines]


@pytest.fixture(params=sorted(FILE_SINKS))
def form(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def open_sink(form: str) -> Open:
    return FILE_SINKS[form]


# ---- every file sink


def test_records_arrive_in_order_and_the_sink_says_so(form: str, open_sink: Open, tmp_path: Path) -> None:
    sink = open_sink(str(tmp_path / "out"))
    assert sink.deliver(records(3)) == Delivered(3)
    assert sink.deliver([]) == Delivered(0)
    sink.close()
    assert ids((tmp_path / "out").read_bytes(), form) == [0, 1, 2]
    assert sink.name == form


def test_alerts_are_for_their_owner_alone(open_sink: Open, tmp_path: Path) -> None:
    open_sink(str(tmp_path / "out")).close()
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_a_file_is_begun_anew_or_continued(form: str, open_sink: Open, tmp_path: Path) -> None:
    path = tmp_path / "out"
    for append, expected in ((False, [0]), (False, [0]), (True, [0, 0])):
        sink = open_sink(str(path), append=append)
        sink.deliver(records(1))
        sink.close()
        assert ids(path.read_bytes(), form) == expected


def test_a_torn_line_of_an_earlier_end_spoils_no_other(open_sink: Open, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b'{"record":"ale')
    sink = open_sink(str(path), append=True)
    sink.deliver(records(2))
    sink.close()
    torn, *whole = path.read_bytes().splitlines()
    assert torn == b'{"record":"ale'
    assert len([json.loads(line) for line in whole]) == 2


def test_a_closed_sink_takes_nothing_and_says_so(open_sink: Open, tmp_path: Path) -> None:
    sink = open_sink(str(tmp_path / "out"))
    sink.close()
    sink.close()
    assert (sink.deliver(records(1)).count, sink.deliver(records(1)).problem) == (0, "the sink is closed")


def test_a_full_disk_takes_nothing_and_says_so(open_sink: Open) -> None:
    sink = open_sink("/dev/full")
    delivered = sink.deliver(records(2))
    assert (delivered.count, delivered.problem) == (0, "No space left on device")
    sink.close()


def test_a_disk_that_fills_leaves_no_half_line(form: str, open_sink: Open, tmp_path: Path) -> None:
    """A limit of the process stands in for the disk: the third record does not fit whole."""
    path = tmp_path / "out"
    room = len(sized(form, open_sink, tmp_path)) * 5 // 2
    child = os.fork()
    if child == 0:
        # The runner's own handlers are left out by _exit: this process only writes.
        os._exit(_fill(open_sink, path, room))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 2
    assert ids(path.read_bytes(), form) == [0, 1]
    assert path.read_bytes().endswith(b"\n")


def sized(form: str, open_sink: Open, tmp_path: Path) -> bytes:
    sink = open_sink(str(tmp_path / "size"))
    sink.deliver(records(1))
    sink.close()
    return (tmp_path / "size").read_bytes()


def _fill(open_sink: Open, path: Path, room: int) -> int:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    delivered = open_sink(str(path)).deliver(records(5))
    return delivered.count if delivered.problem is not None and delivered.unsure == 0 else 99


@pytest.fixture
def pipe() -> Iterator[tuple[int, str]]:
    """The reading end of a pipe, and the name of the end to write to."""
    reading, writing = os.pipe()
    yield reading, f"/proc/self/fd/{writing}"
    os.close(writing)
    try:
        os.close(reading)
    except OSError:
        return


def test_a_reader_that_went_away_is_a_problem_and_no_signal(open_sink: Open, pipe: tuple[int, str]) -> None:
    reading, name = pipe
    sink = open_sink(name)
    os.close(reading)
    delivered = sink.deliver(records(2))
    assert (delivered.count, delivered.unsure, delivered.problem) == (0, 1, "Broken pipe")
    sink.close()


def test_a_slow_reader_gets_everything_in_order(form: str, open_sink: Open, pipe: tuple[int, str]) -> None:
    """More than a pipe holds: the sink waits for its reader, and no line is cut by the waiting."""
    reading, name = pipe
    sink = open_sink(name)
    read = bytearray()

    def read_slowly() -> None:
        while read.count(b"\n") < 40:
            read.extend(os.read(reading, 3000))

    reader = threading.Thread(target=read_slowly)
    reader.start()
    assert sink.deliver(records(40)) == Delivered(40)
    reader.join(timeout=20)
    sink.close()
    assert ids(bytes(read), form) == list(range(40))


def test_a_target_that_can_not_be_opened_is_an_error_with_its_name(open_sink: Open, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="nowhere/out: can't be written"):
        open_sink(str(tmp_path / "nowhere" / "out"))


# ---- the courier, with a sink that does as told


class Scripted:
    """A sink that answers each delivery with the next of *answers*, and remembers what arrived."""

    name = "scripted"

    def __init__(self, *answers: Delivered) -> None:
        self.answers = list(answers)
        self.arrived: list[AlertRecord] = []
        self.tries = 0

    def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
        self.tries += 1
        answer = self.answers.pop(0) if self.answers else Delivered(len(batch))
        self.arrived += batch[: answer.count + answer.unsure]
        return answer

    def close(self) -> None: ...


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "a.spool"), max_octets=2_000_000, sync=False)


def down(count: int = 0, **other: object) -> Delivered:
    return Delivered(count, problem="down", **other)  # type: ignore[arg-type]


def test_what_a_failing_sink_did_not_take_comes_later_in_order(spool: Spool) -> None:
    sink, courier = Scripted(down(1)), Courier("scripted", spool)
    courier.take(records(4))
    deliver_all(courier, sink, 0.0)
    assert (courier.owed, courier.problem, sink.tries) == (3, "down", 1)
    deliver_all(courier, sink, FIRST_RETRY_S / 2)
    assert sink.tries == 1, "not due yet"
    deliver_all(courier, sink, FIRST_RETRY_S)
    assert [int(each.id, 16) for each in sink.arrived] == [0, 1, 2, 3]
    assert not any(each.redelivered for each in sink.arrived)
    assert (courier.owed, courier.problem, courier.next_try_s()) == (0, None, None)


def test_what_may_have_arrived_comes_again_marked(spool: Spool) -> None:
    sink, courier = Scripted(down(1, unsure=1)), Courier("scripted", spool)
    courier.take(records(3))
    deliver_all(courier, sink, 0.0)
    deliver_all(courier, sink, 10.0)
    assert [(int(each.id, 16), each.redelivered) for each in sink.arrived] == [
        (0, False), (1, False), (1, True), (2, False),
    ]  # fmt: skip


def test_tries_grow_apart_up_to_a_bound_and_begin_anew_after_success(spool: Spool) -> None:
    sink, courier = Scripted(*[down()] * 12), Courier("scripted", spool)
    courier.take(records(1))
    now, waits = 0.0, []
    for _ in range(12):
        deliver_all(courier, sink, now)
        due = courier.next_try_s()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_RETRY_S
    deliver_all(courier, sink, now)
    sink.answers = [down()]
    courier.take(records(1))
    deliver_all(courier, sink, now)
    assert courier.next_try_s() == now + FIRST_RETRY_S


def test_a_sink_that_asks_for_time_gets_it(spool: Spool) -> None:
    sink, courier = Scripted(down(retry_after_s=60.0)), Courier("scripted", spool)
    courier.take(records(1))
    deliver_all(courier, sink, 5.0)
    assert courier.next_try_s() == 65.0


def test_a_sink_that_was_away_for_long_is_not_flooded(spool: Spool) -> None:
    courier = Courier("scripted", spool)
    courier.take(records(2 * BATCH))
    assert len(courier.batch(0.0).records) == BATCH


def test_what_the_spool_refuses_is_named(tmp_path: Path) -> None:
    courier = Courier("scripted", Spool(str(tmp_path / "b.spool"), max_octets=20_000, sync=False))
    courier.take(records(9))
    assert courier.lost == [each.id for each in records(9)][courier.owed :]
    assert courier.spool_problem is not None
    assert "full" in courier.spool_problem


def test_a_full_spool_is_no_fault_of_the_sink_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    """It was told as a failing sink, beside the alerts that were lost."""
    sink, courier = Scripted(), Courier("scripted", Spool(str(tmp_path / "b.spool"), max_octets=20_000, sync=False))
    courier.take(records(9))
    assert courier.problem is None
    deliver_all(courier, sink, 0.0)
    courier.take(records(1))
    assert (courier.problem, courier.spool_problem) == (None, None)


# ---- the whole way


def quiet() -> tuple[Log, list[str]]:
    import io

    class Lines(io.StringIO):
        def write(self, text: str) -> int:
            lines.append(text)
            return len(text)

    lines: list[str] = []
    return Log(Lines()), lines


def test_without_a_spool_what_breaks_a_sink_is_raised(form: str) -> None:
    with (
        pytest.raises(OSError, match="No space left"),
        open_alerts("/dev/full", settings(), form=form, sensor="s", clock=lambda: 0.0) as writer,
    ):
        writer.write([ALERT])


def test_with_a_spool_it_is_told_and_delivered_by_the_next_run(form: str, tmp_path: Path) -> None:
    spooling = settings(spool_dir=str(tmp_path / "spool"))
    (tmp_path / "alerts").symlink_to("/dev/full")
    log, lines = quiet()
    target = str(tmp_path / "alerts")
    with open_alerts(target, spooling, form=form, sensor="s", clock=lambda: 0.0, log=log) as writer:
        writer.write([ALERT])
        writer.write([ALERT])
        assert writer.written == 0
    assert len(lines) == 1
    assert "sink_fails sink=" in lines[0]
    assert "No space left" in lines[0]
    (tmp_path / "alerts").unlink()
    with open_alerts(target, spooling, form=form, sensor="s", clock=lambda: 0.0, log=log) as writer:
        assert writer.written == 2
    assert ids((tmp_path / "alerts").read_bytes(), form) == [int(ALERT.id, 16)] * 2


def test_what_a_full_spool_loses_is_told_and_the_sink_is_not_blamed(form: str, tmp_path: Path) -> None:
    spooling = settings(spool_dir=str(tmp_path / "spool"), spool_octets=65_536)
    log, lines = quiet()
    with open_alerts(str(tmp_path / "a"), spooling, form=form, sensor="s", clock=lambda: 0.0, log=log) as writer:
        writer.write([msgspec.structs.replace(ALERT, id=f"{number:032x}") for number in range(100)])
        assert writer.lost > 0
        assert writer.lost + writer.written == 100
    assert [line.split()[1] for line in lines] == ["alerts_lost"]
    assert "full" in lines[0]


def test_two_runs_with_one_spool_do_not_mix(tmp_path: Path) -> None:
    spooling = settings(spool_dir=str(tmp_path))
    target = str(tmp_path / "alerts")
    with open_alerts(target, spooling, form="jsonl", sensor="s", clock=lambda: 0.0):  # noqa: SIM117 - one in the other
        with pytest.raises(SpoolError, match="another process"):
            open_alerts(target, spooling, form="jsonl", sensor="s", clock=lambda: 0.0).__enter__()


def test_a_format_that_is_none_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(SinkError, match="jsonl, ocsf"):
        open_alerts("-", settings(), form="xml", sensor="s", clock=lambda: 0.0).__enter__()
    assert FORMATS == ("jsonl", "ocsf")


def test_alerts_reach_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with open_alerts("-", settings(), form="jsonl", sensor="test", clock=lambda: 0.0) as writer:
        writer.write([ALERT])
    assert capfdbinary.readouterr().out == to_line(RECORD)
