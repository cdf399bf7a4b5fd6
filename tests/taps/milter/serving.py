"""Runs ``mailsensor milter`` as an admin does: in a process of its own, on a socket in a folder of the test."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.running import COMMAND, environment
from tests.waiting import until

PATIENCE_S = 20.0

RULES = """\
[organisation]
internal_domains = ["corp.example"]
[inline]
{inline}
[[inline.rule]]
name = "tagging"
action = "tag"
kind = "auto"
destinations = ["tag.example"]
[[inline.rule]]
name = "deferring"
action = "defer"
destinations = ["defer.example"]
[[inline.rule]]
name = "refusing"
action = "reject"
destinations = ["reject.example"]
text = "Not 100% allowed"
[[inline.rule]]
name = "holding"
action = "quarantine"
destinations = ["hold.example"]
[milter]
socket_access = "{access}"
{milter}
"""


@dataclass(slots=True)
class Milter:
    """One that runs. ``address`` is in Postfix's form, which is ours too."""

    process: subprocess.Popen[bytes]
    address: str
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "milter.log").read_text(errors="backslashreplace")

    @property
    def records(self) -> list[Any]:
        """What it wrote so far."""
        lines = (self.folder / "events.jsonl").read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        until(holds, what, so_far=lambda: self.log)

    def records_of(self, number: int) -> list[Any]:
        """So many records, once they are there."""
        self.until(lambda: len(self.records) >= number, f"{number} records")
        return self.records

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and tell its status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(
    folder: Path, *, listen: str = "", inline: str = "", milter: str = "", access: str = "everybody"
) -> Iterator[Milter]:
    """A milter with ``RULES`` and those lines beside them. *folder* may be reached by everybody."""
    settings = folder / "sensor.toml"
    settings.write_text(RULES.format(inline=inline, milter=milter, access=access))
    listen = listen or f"unix:{folder}/milter.sock"
    with (folder / "milter.log").open("wb") as log, (folder / "summary.json").open("wb") as summary:
        process = subprocess.Popen(
            [*COMMAND, "milter", "--listen", listen, "--config", str(settings), "--events", "events.jsonl", "--json"],
            env=environment(),
            stdout=summary,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )
    own = Milter(process, "", folder)
    try:
        own.until(lambda: "info milter_listening at=" in own.log, "listening")
        found = re.search(r"milter_listening at=(\S+)", own.log)
        assert found
        own.address = found[1]
        yield own
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
