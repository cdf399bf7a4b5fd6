"""Alertmanager: what it is sent, and what a real one makes of that."""

import asyncio
import io
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sensor.alert.dispatch import open_sinks
from sensor.alert.policy import Policy
from sensor.alert.record import AlertRecord, record_of
from sensor.alert.sinks.alertmanager import MOST_NAMED, AlertmanagerSink, notes, pseudonym
from sensor.alert.sinks.base import Delivered
from sensor.log import Log
from sensor.settings import AlertmanagerSettings, SecretSource
from tests.alert.findings import NOW_MS, finding, settings
from tests.alert.receivers import Reply, free_port, receiving
from tests.running import needs
from tests.waiting import until

(ALERT,) = Policy(settings()).take([finding()], NOW_MS)
RECORD = record_of(ALERT, sensor="test")
NOW_S = NOW_MS / 1000 + 60
ENVIRONMENT = {"KEY": "a key"}


def record(number: int = 0, **changed: object) -> AlertRecord:
    return msgspec.structs.replace(RECORD, id=f"{number:032x}", **changed)


def resolved(number: int = 0, **changed: object) -> AlertRecord:
    return record(number, status="resolved", resolved_at="2026-11-22T00:00:30.000000Z", **changed)


def sink_to(url: str, **other: Any) -> AlertmanagerSink:
    most_firing, wall_s = other.pop("most_firing", 100), other.pop("wall_s", lambda: NOW_S)
    return AlertmanagerSink(
        AlertmanagerSettings(name="am", url=url, **({"timeout_s": 5.0} | other)),
        ENVIRONMENT,
        most_firing=most_firing,
        wall_s=wall_s,
    )


def sent(*steps: list[AlertRecord] | str, reply: Reply | None = None, **other: Any) -> list[list[dict[str, Any]]]:
    """The alerts of each request, while a sink takes batches and, at "refresh", does that."""

    async def work(sink: AlertmanagerSink) -> None:
        for step in steps:
            await (sink.refresh() if isinstance(step, str) else sink.deliver(step))
        await sink.close()

    with receiving(reply or Reply()) as receiver:
        asyncio.run(work(sink_to(receiver.url + "/prefix/", **other)))
    assert {request.path for request in receiver.requests} <= {"/prefix/api/v2/alerts"}
    return [json.loads(request.body) for request in receiver.requests]


def test_an_alert_is_told_by_labels_annotations_and_times() -> None:
    ((alert,),) = sent([RECORD], generator_url="https://sensor.example/alerts/{id}")
    assert alert["labels"] == {
        "alertname": "new_forwarder", "severity": RECORD.severity, "level": "user", "sensor": "test",
        "alert_id": RECORD.id,
    }  # fmt: skip
    assert alert["annotations"]["summary"] == RECORD.summary
    assert alert["annotations"]["destinations"] == "fay.home@dst.example"
    assert alert["annotations"]["evidence_head"] == RECORD.evidence.head
    assert alert["annotations"]["next_step"] == RECORD.next_steps[0].title
    assert "" not in alert["annotations"].values()
    assert alert["startsAt"] == "2026-11-22T00:00:00.000000Z"
    assert alert["endsAt"] == "2026-11-23T00:01:00.000000Z"
    assert alert["generatorURL"] == f"https://sensor.example/alerts/{RECORD.id}"


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({}, None),
        ({"mailbox_label": "clear"}, "fay@corp.example"),
        ({"mailbox_label": "pseudonym", "pseudonym_key": SecretSource(variable="KEY")}, 16),
    ],
)
def test_an_address_is_a_label_only_where_the_settings_say_so(options: dict[str, Any], label: object) -> None:
    ((alert,),) = sent([RECORD], **options)
    told = alert["labels"].get("mailbox")
    assert len(told) == label if isinstance(label, int) else told == label
    if label != "fay@corp.example":
        assert "fay" not in json.dumps(alert["labels"])


def test_a_pseudonym_is_the_same_for_the_same_mailbox_and_another_under_another_key() -> None:
    from sensor.alert.secret import Secret

    one, other = Secret(b"one"), Secret(b"other")
    assert pseudonym(one, "Fay@corp.example") == pseudonym(one, "fay@CORP.example")
    assert len({pseudonym(one, "fay@corp.example"), pseudonym(one, "ann@corp.example"),
                pseudonym(other, "fay@corp.example")}) == 3  # fmt: skip


def test_what_is_resolved_ends_when_it_was_and_never_before_it_began() -> None:
    ((alert,),) = sent([resolved()])
    assert alert["endsAt"] == "2026-11-22T00:00:30.000000Z"
    ((alert,),) = sent([resolved(first_fired_at="2055-01-01T00:00:00.000000Z")])
    assert alert["startsAt"] == alert["endsAt"] == "2026-11-22T00:01:00.000000Z"


def test_what_fires_is_sent_again_until_it_is_resolved() -> None:
    requests = sent([record(1), record(2)], "refresh", [resolved(1)], "refresh", [resolved(2)], "refresh")
    ids = [sorted(int(alert["labels"]["alert_id"], 16) for alert in request) for request in requests]
    assert ids == [[1, 2], [1, 2], [1], [2], [2]]


def test_an_end_moves_on_with_the_clock() -> None:
    times = iter([NOW_S] * 2 + [NOW_S + 3600] * 9)
    first, second = sent([record()], "refresh", wall_s=lambda: next(times))
    assert second[0]["endsAt"] > first[0]["endsAt"]
    assert second[0]["startsAt"] == first[0]["startsAt"]


def test_under_new_labels_the_old_ones_end_in_the_same_request() -> None:
    _, (old, new), again = sent([record(severity="low")], [record(severity="high", updates=1)], "refresh")
    assert (old["labels"]["severity"], old["endsAt"]) == ("low", "2026-11-22T00:01:00.000000Z")
    assert (new["labels"]["severity"], new["endsAt"]) == ("high", "2026-11-23T00:01:00.000000Z")
    assert [alert["labels"]["severity"] for alert in again] == ["high"]


def test_what_an_earlier_run_told_is_sent_again_too() -> None:
    async def work(url: str) -> None:
        sink = sink_to(url)
        sink.remember([record(1), record(2)])
        assert await sink.refresh() == Delivered(2)
        assert await sink.deliver([record(1, severity="critical", updates=1)]) == Delivered(1)
        await sink.close()

    with receiving() as receiver:
        asyncio.run(work(receiver.url))
    _, (ended, _) = (json.loads(request.body) for request in receiver.requests)
    assert ended["labels"]["severity"] == RECORD.severity


def test_of_a_batch_only_the_last_telling_of_each_alert_is_sent() -> None:
    ((alert,),) = sent([record(), record(updates=1, severity="high"), record(updates=2, severity="critical")])
    assert alert["labels"]["severity"] == "critical"


def test_no_more_than_its_bound_is_sent_again() -> None:
    _, again = sent([record(number) for number in range(9)], "refresh", most_firing=4)
    assert [int(alert["labels"]["alert_id"], 16) for alert in again] == [5, 6, 7, 8]


def test_the_one_that_is_refused_is_found() -> None:
    replies = [Reply(400), Reply(), Reply(), Reply(400)]

    async def work(url: str) -> Delivered:
        sink = sink_to(url)
        try:
            return await sink.deliver([record(number) for number in range(4)])
        finally:
            await sink.close()

    with receiving(*replies) as receiver:
        delivered = asyncio.run(work(receiver.url))
    assert (delivered.count, delivered.refuses_next, delivered.unsure) == (2, True, 0)
    assert [len(json.loads(request.body)) for request in receiver.requests] == [4, 1, 1, 1]


def test_annotations_are_bounded_and_always_text() -> None:
    long = record(
        destinations=[f"x{number}@dst.example" for number in range(100)], summary="\udc80" + "a" * 9000, gaps=[]
    )
    told = notes(long)
    assert told["destinations"].endswith(f"and {100 - MOST_NAMED} more")
    assert len(told["summary"]) == 2000
    assert "not_seen" not in told
    assert msgspec.json.encode(told)


# ---- a real Alertmanager


class Server:
    """An Alertmanager of its own, on loopback, that tells nobody else."""

    def __init__(self, folder: Path) -> None:
        self._program = needs("prometheus-alertmanager", "prometheus-alertmanager")
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        (folder / "config.yml").write_text("route:\n  receiver: nobody\nreceivers:\n- name: nobody\n")

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            process = self._process = start_alertmanager(self._program, self._folder, self._port, log.fileno())
        until(lambda: answers(self.url) or process.poll() is not None)
        assert process.poll() is None, (self._folder / "log").read_text()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real one."""
    with serving(tmp_path_factory.mktemp("alertmanager")) as server:
        yield server.url


def start_alertmanager(program: str, folder: Path, port: int, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            program, "--config.file", str(folder / "config.yml"), "--storage.path", str(folder / "data"),
            "--web.listen-address", f"127.0.0.1:{port}", "--cluster.listen-address", "",
        ],
        stdout=log,
        stderr=log,
    )  # fmt: skip


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:  # noqa: S310 - of loopback
            return bool(answer.status == 200)
    except OSError:
        return False


def known(url: str, sensor: str = "test") -> dict[str, dict[str, Any]]:
    """What Alertmanager says fires of that sensor, by severity and id."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=10) as answer:  # noqa: S310 - of loopback
        alerts = json.load(answer)
    named = {f"{each['labels']['severity']} {int(each['labels']['alert_id'], 16)}": each for each in alerts}
    return {name: each for name, each in named.items() if each["labels"]["sensor"] == sensor}


def test_a_real_alertmanager_follows_alerts_from_firing_to_resolved(alertmanager: str) -> None:
    import time

    async def work() -> None:
        sink = sink_to(alertmanager, wall_s=time.time, timeout_s=20.0)
        now = {"first_fired_at": "2026-01-01T00:00:00.000000Z"}
        assert await sink.deliver([record(1, severity="low", **now), record(2, severity="low", **now)]) == Delivered(2)
        assert set(known(alertmanager)) == {"low 1", "low 2"}
        assert known(alertmanager)["low 1"]["annotations"]["summary"] == RECORD.summary
        assert await sink.refresh() == Delivered(2)
        assert set(known(alertmanager)) == {"low 1", "low 2"}
        assert await sink.deliver([record(1, severity="high", updates=1, **now)]) == Delivered(1)
        assert set(known(alertmanager)) == {"high 1", "low 2"}
        assert await sink.deliver([resolved(1, severity="high", **now), resolved(2, severity="low", **now)]) == (
            Delivered(2)
        )
        assert known(alertmanager) == {}
        await sink.close()

    asyncio.run(work())


def test_a_real_alertmanager_takes_alerts_of_any_time_and_text(alertmanager: str) -> None:
    odd = [
        msgspec.structs.replace(each, sensor="odd") for each in (
        record(10, first_fired_at="2055-12-25T00:00:00.000000Z", summary='\udc80 ]"\\ \x00 \u202e ' * 200),
        record(11, first_fired_at="1970-01-01T00:00:00.000000Z", mailbox="\x00\udfff@" + "x" * 9000),
        resolved(12, first_fired_at="9999-12-31T23:59:59.000000Z", mailbox="", destinations=[], mailboxes=[]),
        )
    ]  # fmt: skip

    async def work() -> Delivered:
        sink = sink_to(alertmanager, mailbox_label="clear", timeout_s=20.0)
        delivered = await sink.deliver(odd)
        await sink.close()
        return delivered

    assert asyncio.run(work()) == Delivered(3)
    assert {int(each["labels"]["alert_id"], 16) for each in known(alertmanager, "odd").values()} == {10, 11}


def test_a_real_alertmanager_that_was_restarted_knows_again_what_fires(tmp_path: Path) -> None:
    """It keeps alerts in memory alone; the sensor does not hear of the restart, and needs not to."""
    with serving(tmp_path) as server:
        sink = AlertmanagerSettings(name="am", url=server.url, resend_s=0.2)
        with open_sinks(settings(sinks=(sink,)), {}, sensor="test", log=Log(io.StringIO())) as dispatch:
            dispatch.write([ALERT])
            until(lambda: known(server.url))
            server.stop()
            until(lambda: dispatch.statistics()[0].problem)
            server.start()
            until(lambda: known(server.url))
            assert dispatch.statistics()[0].delivered == 1
