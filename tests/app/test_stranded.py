"""A live worker that died, in a process that gave its rights up: who supervises the process starts another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.running import environment
from tests.waiting import PATIENCE_S, until

# The service, with a tap in the place of live capture that ends at once and can't be opened again.
SERVICE = """
import sys
from sensor.app import build
from sensor.cli import run_cli
from sensor.taps.base import RightGoneError
from tests.app.test_worker import Brittle

taps = [Brittle(1, dies=True)]

def open_tap(*arguments, **options):
    if not taps:
        raise RightGoneError("this user may not capture")
    return taps.pop()

build.LiveTap = open_tap
sys.exit(run_cli())
"""


def service(folder: Path, changes: Mapping[str, str]) -> subprocess.Popen[bytes]:
    settings = folder / "sensor.toml"
    settings.write_text(f'[live]\ninterfaces = ["lo"]\n[store]\npath = "{folder}/ledger.db"\n[web]\nlisten = ""\n')
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", SERVICE, "run", "--config", str(settings)],
            env=environment(changes),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def log_of(folder: Path) -> str:
    return (folder / "log").read_text()


def test_one_that_is_supervised_saves_and_ends_to_be_started_anew(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        process = service(tmp_path, {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert process.wait(PATIENCE_S) == 1, log_of(tmp_path)
        manager.settimeout(PATIENCE_S)
        assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
    assert "ends_to_be_started_anew workers=live" in log_of(tmp_path)
    assert (tmp_path / "ledger.db").stat().st_size


def test_one_that_nobody_supervises_goes_on_with_what_it_has_left(tmp_path: Path) -> None:
    process = service(tmp_path, {"NOTIFY_SOCKET": ""})
    try:
        # The second of these is the first try of several to open it again.
        until(lambda: log_of(tmp_path).count("worker_died") >= 2, so_far=lambda: log_of(tmp_path))
        assert process.poll() is None
        assert "ends_to_be_started_anew" not in log_of(tmp_path)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
