"""``sniff --store`` goes on from what earlier captures came to, and loses at most some seconds to a kill."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import dpkt  # type: ignore[import-untyped]
import pytest

from tests.netns import Namespace, namespace
from tests.running import mailsensor
from tests.service import SIEVE
from tests.waiting import until

PATIENCE_S = 30.0


@pytest.fixture
def net() -> Iterator[Namespace]:
    with namespace() as net:
        net.veth("a0", "b0")
        yield net


def frames() -> list[bytes]:
    with SIEVE.open("rb") as file:
        return [octets for _, octets in dpkt.pcap.Reader(file)]


def settings(folder: Path) -> Path:
    path = folder / "settings.toml"
    path.write_text('[organisation]\ninternal_domains = ["corp.example"]\n[store]\ncheckpoint_s = 1\n')
    return path


def forwards(store: Path) -> int:
    ended = mailsensor("report", "mailboxes", "--store", store, "--format", "json")
    return sum(json.loads(line)["auto_only"] for line in ended.out.splitlines())


def sniffed(net: Namespace, folder: Path, number: signal.Signals) -> int:
    """Capture one forward, end in that way once it is told, and tell what is kept."""
    store, records = folder / "kept.db", folder / "records"
    before = forwards(store) if store.exists() else 0
    process = net.sniff(
        "-i", "b0", "--store", str(store), "--events", str(records), "--settings", str(settings(folder))
    )
    net.send_frames("a0", frames())
    until(lambda: records.exists() and b'"auto"' in records.read_bytes(), "the forward's record")
    if number == signal.SIGKILL:
        until(lambda: forwards(store) > before, "the save after it")
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == (0 if number != signal.SIGKILL else -signal.SIGKILL), err
    return forwards(store)


def test_what_was_captured_is_kept_and_gone_on_with(net: Namespace, tmp_path: Path) -> None:
    assert sniffed(net, tmp_path, signal.SIGTERM) == 1
    assert sniffed(net, tmp_path, signal.SIGINT) == 2
    assert sniffed(net, tmp_path, signal.SIGKILL) == 3


def test_alerts_go_on_too(net: Namespace, tmp_path: Path) -> None:
    for _ in range(2):
        assert sniffed(net, tmp_path, signal.SIGTERM) > 0
    told = mailsensor("report", "alerts", "--store", tmp_path / "kept.db", "--format", "json").out.splitlines()
    assert len(told) == len({json.loads(line)["id"] for line in told}) > 0
