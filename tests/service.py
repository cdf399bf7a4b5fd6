"""Runs ``mailsensor run`` as a service manager does: in a process of its own, asked over HTTP, ended by a signal."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.running import COMMAND, ROOT, environment
from tests.waiting import PATIENCE_S, until

SIEVE = ROOT / "pcaps" / "lab_sieve_redirect" / "input.pcap"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Service:
    """A running sensor. ``port`` is where it listens."""

    process: subprocess.Popen[bytes]
    port: int
    settings: Path
    log_path: Path
    context: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="backslashreplace")

    def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        if self.context is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=PATIENCE_S, context=self.context
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, headers={**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """By series, as it is scraped."""
        lines = (line.rpartition(" ") for line in self.ask("/metrics").text.splitlines() if not line.startswith("#"))
        return {series: float(value) for series, _, value in lines}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of that name with those labels."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        return sum(
            value
            for series, value in self.metrics().items()
            if series.partition("{")[0] == name and all(each in series for each in wanted)
        )

    def until(self, holds: Callable[[], bool], what: str = "it") -> None:
        """Wait until something holds, while the sensor lives."""

        def came_true() -> bool:
            if holds():
                return True
            assert self.process.poll() is None, self.log
            return False

        until(came_true, what, look_s=0.1, so_far=lambda: self.log)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and tell its status."""
        if self.process.poll() is None:
            self.send(number)
        return self.process.wait(PATIENCE_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_text(port: int, more: str = "", *, web: str = "") -> str:
    return (
        f'[organisation]\ninternal_domains = ["corp.example"]\n[web]\nlisten = "127.0.0.1:{port}"\n{web}\n'
        f"[store]\ncheckpoint_s = 1\n{more}\n"
    )


@contextmanager
def running(
    folder: Path,
    more: str = f'[capture]\nfiles = ["{SIEVE}"]',
    *,
    web: str = "",
    changes: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[Service]:
    """A sensor with those settings beside the usual ones, listening; ended if the test did not."""
    port = free_port()
    settings = folder / "sensor.toml"
    settings.write_text(settings_text(port, more, web=web))
    log_path = folder / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "run", "--config", str(settings)],
            env=environment(changes),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )
    service = Service(process, port, settings, log_path, context)
    try:
        service.until(lambda: re.search(r"info running", service.log) is not None, "running")
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
