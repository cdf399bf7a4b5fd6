"""All sinks at once: none stalls the caller or another, and nothing is lost, whatever ends or fails."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sensor.alert.alert import Alert
from sensor.alert.courier import MOST_REFUSALS, Courier
from sensor.alert.dispatch import Dispatch, open_sinks
from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, read_alert, record_of
from sensor.alert.sinks import AsyncSink, open_sink
from sensor.alert.sinks.base import Delivered, PlainAsyncSink, SinkError
from sensor.alert.spool import Spool, SpoolError, SpoolFullError
from sensor.alert.waiting import Waiting
from sensor.log import Log
from sensor.settings import (
    AlertmanagerSettings,
    FileSinkSettings,
    SecretSource,
    SinkSettings,
    WebhookSettings,
)
from tests.alert.findings import NOW_MS, finding, settings
from tests.alert.receivers import Receiver, Reply, free_port, receiving
from tests.alert.test_spool import FullDisk
from tests.running import ROOT
from tests.waiting import PATIENCE_S, until

(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")


def alerts(*numbers: int) -> list[Alert]:
    return [msgspec.structs.replace(ALERT, id=f"{number:032x}") for number in numbers]


def hook(url: str, name: str = "hook", **other: Any) -> WebhookSettings:
    return WebhookSettings(name=name, url=url, **({"timeout_s": 5.0} | other))


@contextmanager
def running(
    *sinks: SinkSettings, log: io.StringIO | None = None, environment: Mapping[str, str] | None = None, **changed: Any
) -> Iterator[Dispatch]:
    told = Log(log if log is not None else io.StringIO())
    with open_sinks(settings(sinks=sinks, **changed), environment or {}, sensor="test", log=told) as dispatch:
        yield dispatch


def arrived(receiver: Receiver) -> list[AlertRecord]:
    return [read_alert(request.body) for request in receiver.requests]


def numbers(records: Sequence[AlertRecord]) -> list[int]:
    return [int(record.id, 16) for record in records]


@pytest.fixture(params=["memory", "spool"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Without and with a folder for spools."""
    return {"spool_dir": str(tmp_path / "spool"), "spool_sync": False} if request.param == "spool" else {}


def test_every_sink_gets_every_alert_in_order(kept: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    with receiving() as one, receiving() as other:
        sinks = (hook(one.url, "one"), hook(other.url, "other"), FileSinkSettings(name="file", path=str(path)))
        with running(*sinks, **kept) as dispatch:
            dispatch.write(alerts(1, 2))
            dispatch.write([])
            dispatch.write(alerts(3))
            until(lambda: [each.delivered for each in dispatch.statistics()] == [3, 3, 3])
            assert {(each.owed, each.failures, each.problem) for each in dispatch.statistics()} == {(0, 0, None)}
    assert numbers(arrived(one)) == numbers(arrived(other)) == [1, 2, 3]
    assert numbers([read_alert(line) for line in path.read_bytes().splitlines()]) == [1, 2, 3]


def test_the_end_of_a_run_waits_for_what_is_owed(kept: dict[str, Any]) -> None:
    with receiving(Reply(wait_s=0.2)) as receiver:
        with running(hook(receiver.url), drain_s=20.0, **kept) as dispatch:
            dispatch.write(alerts(1, 2, 3))
        assert numbers(arrived(receiver)) == [1, 2, 3]
        assert dispatch.statistics()[0].delivered == 3


@pytest.mark.parametrize("reply", [Reply(wait_s=600), Reply(0), Reply(503), Reply(403), None])
def test_a_dead_or_slow_sink_stalls_neither_the_caller_nor_the_others(
    reply: Reply | None, kept: dict[str, Any]
) -> None:
    with receiving() as good, receiving(reply or Reply()) as bad:
        url = bad.url if reply is not None else f"http://127.0.0.1:{free_port()}"
        with running(hook(url, "bad", timeout_s=300), hook(good.url, "good"), drain_s=0.1, **kept) as dispatch:
            begun = time.monotonic()
            for number in range(50):
                dispatch.write(alerts(number))
            assert time.monotonic() - begun < PATIENCE_S, "fifty alerts take milliseconds, the sink takes minutes"
            until(lambda: dispatch.statistics()[1].delivered == 50)
            assert dispatch.statistics()[0].owed == 50
    assert numbers(arrived(good)) == list(range(50))


def test_what_a_dead_sink_is_owed_comes_when_it_is_back_and_its_failing_is_told_once(tmp_path: Path) -> None:
    log = io.StringIO()
    port = free_port()
    with running(hook(f"http://127.0.0.1:{port}/PLANTED"), log=log, spool_dir=str(tmp_path)) as dispatch:
        dispatch.write(alerts(1, 2))
        until(lambda: dispatch.statistics()[0].failures >= 2)
        with receiving(port=port) as receiver:
            until(lambda: dispatch.statistics()[0].delivered == 2)
            dispatch.write(alerts(3))
            until(lambda: dispatch.statistics()[0].delivered == 3)
    records = arrived(receiver)
    assert numbers(records) == [1, 2, 3]
    assert not any(record.redelivered for record in records), "it surely had none of them"
    assert log.getvalue().count("sink_fails") == 1
    assert log.getvalue().count("sink_works_again") == 1
    assert "PLANTED" not in log.getvalue()


def test_what_a_run_owes_the_next_one_delivers(tmp_path: Path) -> None:
    log, port = io.StringIO(), free_port()
    sink = hook(f"http://127.0.0.1:{port}")
    with running(sink, log=log, spool_dir=str(tmp_path)) as dispatch:
        dispatch.write(alerts(1, 2))
        until(lambda: dispatch.statistics()[0].failures)
    assert "sink_is_owed sink=hook alerts=2" in log.getvalue()
    with receiving(port=port) as receiver, running(sink, spool_dir=str(tmp_path)) as dispatch:
        until(lambda: dispatch.statistics()[0].delivered == 2)
    assert numbers(arrived(receiver)) == [1, 2]


def test_a_full_disk_keeps_no_alert_from_a_sink_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    with receiving() as good, running(hook(good.url), log=log, spool_dir=str(tmp_path)) as dispatch:
        FullDisk(monkeypatch)
        dispatch.write(alerts(1))
        until(lambda: dispatch.statistics()[0].delivered == 1)
        dispatch.write(alerts(2))
        until(lambda: dispatch.statistics()[0].delivered == 2)
    assert numbers(arrived(good)) == [1, 2]
    assert "spool_fails sink=hook" in log.getvalue()
    assert "lost" not in log.getvalue()
    assert dispatch.statistics()[0].lost == 0


def test_what_neither_the_sink_nor_the_disk_took_is_told_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    with running(hook(f"http://127.0.0.1:{free_port()}"), log=log, spool_dir=str(tmp_path), drain_s=0.1) as dispatch:
        dispatch.write(alerts(1))
        FullDisk(monkeypatch)
        dispatch.write(alerts(2))
        dispatch.write(alerts(3))
        assert dispatch.statistics()[0].owed == 3
    assert log.getvalue().count("spool_fails") == 1
    assert "warning sink_is_owed sink=hook alerts=1" in log.getvalue()
    assert "error alerts_lost sink=hook alerts=2" in log.getvalue()
    assert dispatch.statistics()[0].lost == 2


def test_without_a_spool_what_no_sink_took_is_told_as_lost() -> None:
    log = io.StringIO()
    with running(hook(f"http://127.0.0.1:{free_port()}"), log=log, drain_s=0.1) as dispatch:
        dispatch.write(alerts(1, 2))
    assert "error alerts_lost sink=hook alerts=2" in log.getvalue()
    assert dispatch.statistics()[0].lost == 2


@pytest.mark.parametrize("spooling", [True, False])
def test_what_finds_no_room_is_counted_and_told(spooling: bool, tmp_path: Path) -> None:
    log = io.StringIO()
    where: dict[str, Any] = {
        "spool_dir": str(tmp_path) if spooling else "",
        "spool_octets": 65_536,
        "spool_sync": False,
    }
    with running(hook(f"http://127.0.0.1:{free_port()}"), log=log, drain_s=0.0, **where) as dispatch:
        dispatch.write(alerts(*range(100)))
        (told,) = dispatch.statistics()
        assert told.lost + told.owed == 100
        assert told.lost > 50
    assert f"alerts={told.lost}" in log.getvalue()


def test_a_record_that_is_refused_holds_up_no_other_and_is_kept(tmp_path: Path) -> None:
    log = io.StringIO()
    with (
        receiving(Reply(), *[Reply(400)] * MOST_REFUSALS, Reply()) as receiver,
        running(hook(receiver.url), log=log, spool_dir=str(tmp_path)) as dispatch,
    ):
        dispatch.write(alerts(1, 2, 3))
        until(lambda: dispatch.statistics()[0].delivered == 2)
        (told,) = dispatch.statistics()
        assert (told.refused, told.owed, told.lost) == (1, 0, 0)
    assert numbers(arrived(receiver)) == [1, *[2] * MOST_REFUSALS, 3]
    (aside,) = (tmp_path / "sink-hook.refused.jsonl").read_bytes().splitlines()
    assert numbers([read_alert(aside)]) == [2]
    assert f"alert_refused sink=hook alert={2:032x} updates=0 kept=True" in log.getvalue()


def test_what_is_wrong_with_the_whole_way_sets_nothing_aside(tmp_path: Path) -> None:
    with (
        receiving(*[Reply(404)] * (MOST_REFUSALS - 1), Reply()) as receiver,
        running(hook(receiver.url), spool_dir=str(tmp_path)) as dispatch,
    ):
        dispatch.write(alerts(1))
        until(lambda: dispatch.statistics()[0].delivered == 1)
        assert dispatch.statistics()[0].refused == 0
    assert len(receiver.requests) == MOST_REFUSALS


def test_what_fires_is_sent_again_by_itself_and_after_a_restart() -> None:
    with receiving() as receiver:
        sink = AlertmanagerSettings(name="am", url=receiver.url, resend_s=0.1)
        with running(sink) as dispatch:
            dispatch.write(alerts(1))
            until(lambda: len(receiver.requests) >= 4)
        with running(sink) as dispatch:
            seen = len(receiver.requests)
            resolved = msgspec.structs.replace(ALERT, status="resolved", resolved_at_ms=NOW_MS)
            dispatch.remember([*alerts(7), resolved])
            until(lambda: len(receiver.requests) > seen)
            assert dispatch.statistics()[0].delivered == 0
    (again,) = json.loads(receiver.requests[-1].body)
    assert int(again["labels"]["alert_id"], 16) == 7


def test_a_sink_that_is_broken_itself_is_counted_while_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(PlainAsyncSink):
        name, batch = "broken", 8

        async def deliver(self, batch: Sequence[AlertRecord]) -> Delivered:
            raise ZeroDivisionError

        async def close(self) -> None: ...

    def opened(each: SinkSettings, *rest: Any, **options: Any) -> AsyncSink:
        return Broken() if each.name == "broken" else open_sink(each, *rest, **options)

    monkeypatch.setattr("sensor.alert.dispatch.open_sink", opened)
    with (
        receiving() as receiver,
        running(hook(receiver.url, "broken"), hook(receiver.url, "good"), drain_s=0.5) as dispatch,
    ):
        dispatch.write(alerts(1))
        until(lambda: dispatch.statistics()[1].delivered == 1)
        until(lambda: dispatch.statistics()[0].failures)
        assert dispatch.statistics()[0].problem == "the sink itself failed: ZeroDivisionError"


def test_what_can_not_be_opened_is_an_error_and_leaves_nothing_open(tmp_path: Path) -> None:
    spooling: dict[str, Any] = {"spool_dir": str(tmp_path)}
    good = hook("http://127.0.0.1:9")
    with (
        pytest.raises(SinkError, match="MISSING: holds no secret"),
        running(good, hook("http://127.0.0.1:9", "two", secret=SecretSource(variable="MISSING")), **spooling),
    ):
        pass
    with running(good, **spooling), pytest.raises(SpoolError, match="another process"), running(good, **spooling):
        pass


# ---- kill -9 while the sink is away

SENDS = """
    import sys
    from tests.alert.test_dispatch import Log, alerts, hook, open_sinks, settings
    url, spool = sys.argv[1:]
    with open_sinks(settings(spool_dir=spool, sinks=(hook(url),)), {}, sensor="test", log=Log()) as dispatch:
        for number in range(int(1e9)):
            dispatch.write(alerts(number))
            print(number, flush=True)
"""


def killed_after(count: int, url: str, spool: Path) -> int:
    """The last number that a run took before it was killed, when it had taken at least *count*."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SENDS), url, str(spool)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    with process.stdout as out:
        for line in out:
            if int(line) >= count:
                os.kill(process.pid, signal.SIGKILL)
                break
        rest = [int(each) for each in out.read().split() if each.isdigit()]
    process.wait(timeout=60)
    return max([count, *rest])


@pytest.mark.parametrize("reply", [None, Reply(wait_s=0.002), Reply(wait_s=600)])
def test_after_kill_minus_nine_nothing_is_lost_and_doubles_are_marked(reply: Reply | None, tmp_path: Path) -> None:
    """The sink is away, takes alerts, or hangs while it holds one, when the end comes."""
    port = free_port()
    if reply is None:
        last, before = killed_after(30, f"http://127.0.0.1:{port}", tmp_path), []
    else:
        with receiving(reply, port=port) as receiver:
            last = killed_after(30, receiver.url, tmp_path)
            before = arrived(receiver)
    with receiving(port=port) as receiver, running(hook(receiver.url), spool_dir=str(tmp_path)) as dispatch:
        until(lambda: dispatch.statistics()[0].owed == 0)
    after = arrived(receiver)
    assert set(range(last + 1)) <= {*numbers(before), *numbers(after)}
    assert numbers(after) == sorted(numbers(after))
    doubles = set(numbers(before)) & set(numbers(after))
    assert doubles <= {int(record.id, 16) for record in after if record.redelivered}
    assert len(doubles) <= 1, "a webhook is handed one at a time"


# ---- what is owed in memory, and the courier with it


def test_memory_owes_like_a_spool(tmp_path: Path) -> None:
    size = len(msgspec.json.encode(RECORD)) + 1
    spool, memory = Spool(str(tmp_path / "a"), max_octets=10**7, sync=False), Waiting(9 * size)
    for owing in (spool, memory):
        for number in range(9):
            owing.add(msgspec.structs.replace(RECORD, id=f"{number:032x}"), flush=False)
        owing.flush()
        batch = owing.owed(5)
        owing.trying(batch)
        owing.settle(batch, 2, 1)
        owing.drop(owing.owed(9)[3])
    assert spool.owed(99) == memory.owed(99)
    assert numbers([each.record for each in memory.owed(99)]) == [2, 3, 4, 6, 7, 8]
    memory.add(RECORD)
    memory.add(RECORD)
    memory.add(RECORD)
    with pytest.raises(SpoolFullError):
        memory.add(RECORD)


def test_a_courier_sets_aside_only_what_is_refused_again_and_again() -> None:
    aside: list[AlertRecord] = []
    courier = Courier("x", Waiting(10**6), batch=2, set_aside=aside.append)
    courier.take([record_of(alert, sensor="test") for alert in alerts(1, 2)])
    refused = Delivered(0, refuses_next=True, problem="400")
    now_s = 0.0
    for times in range(MOST_REFUSALS):
        assert len(aside) == 0
        parcel = courier.batch(now_s)
        courier.settle(parcel, refused, now_s)
        now_s = courier.next_try_s() or now_s
        assert times < MOST_REFUSALS
    assert numbers(aside) == [1]
    assert numbers(courier.batch(now_s).records) == [2]
