"""The sample for Alertmanager, run by a real one: who is told of what, and what is kept back beside its cause."""

import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alert.receivers import Receiver, free_port, receiving
from tests.running import ROOT, needs
from tests.waiting import until

SAMPLE = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
SENSOR = {"job": "mailsensor", "instance": "span-1"}

ABOUT_A_MAILBOX = {"alertname": "silent_copy", "severity": "high", "sensor": "span-1", "alert_id": "abb6a8bd021e"}
CAUSE = {"alertname": "MailsensorInterfaceDown", "severity": "critical", "interface": "eth1", **SENSOR}
CONSEQUENCE = {"alertname": "MailsensorInterfaceSilent", "severity": "warning", "interface": "eth1", **SENSOR}
ELSEWHERE = {**CONSEQUENCE, "interface": "eth2"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """All the receivers of the sample, each with a path of its own."""
    with receiving() as made:
        yield made


def asked(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    try:
        return asked(port, "GET", "/-/ready")[0] == 200
    except OSError:
        return False


@pytest.fixture
def alertmanager(tmp_path: Path, receiver: Receiver) -> Iterator[int]:
    """The port of one with the sample, but that it waits for nothing and tells *receiver*."""
    program = needs("prometheus-alertmanager", "prometheus-alertmanager")
    sample = (
        SAMPLE.read_text().replace("http://127.0.0.1:8080", receiver.url).replace("group_wait: 30s", "group_wait: 1s")
    )
    (tmp_path / "alertmanager.yml").write_text(sample)
    port = free_port()
    process = subprocess.Popen(
        [
            program, f"--config.file={tmp_path / 'alertmanager.yml'}", f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: is_ready(port) or process.poll() is not None)
        assert process.poll() is None
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def told(receiver: Receiver) -> set[tuple[str, str, str]]:
    """Receiver, alert, and interface of all that was sent."""
    return {
        (request.path, alert["labels"]["alertname"], alert["labels"].get("interface", ""))
        for request in receiver.requests
        for alert in json.loads(request.body)["alerts"]
    }


def test_each_alert_reaches_whom_it_concerns_and_no_consequence_beside_its_cause(
    alertmanager: int, receiver: Receiver
) -> None:
    alerts = [{"labels": labels} for labels in (CAUSE, CONSEQUENCE, ELSEWHERE, ABOUT_A_MAILBOX)]
    status, answer = asked(alertmanager, "POST", "/api/v2/alerts", json.dumps(alerts))
    assert (status, answer) == (200, b"")
    expected = {
        ("/operators-at-once", "MailsensorInterfaceDown", "eth1"),
        ("/operators", "MailsensorInterfaceSilent", "eth2"),
        ("/analysts-at-once", "silent_copy", ""),
    }
    until(lambda: told(receiver) >= expected)
    assert told(receiver) == expected
    known = json.loads(asked(alertmanager, "GET", "/api/v2/alerts")[1])
    kept_back = [each["labels"] for each in known if each["status"]["inhibitedBy"]]
    assert kept_back == [CONSEQUENCE]
