"""Runs ``mailsensor`` as a user does: in a process of its own, with what it wrote, how it ended and what it took."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "sensor")

# Tells the peak of resident memory behind the work, in KiB: of this program alone, while what wait4(2) tells of a child
# begins with the memory of the parent it was forked from.
_MEASURED = """
import os, sys
from sensor.cli import run_cli
status = run_cli()
with open("/proc/self/status") as facts, os.fdopen(int(os.environ["PEAK_FD"]), "w") as told:
    told.write(next(line.split()[1] for line in facts if line.startswith("VmHWM:")))
sys.exit(status)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. *out* and *err* are what it wrote; *peak_octets* is 0 where it was not measured."""

    status: int
    out: bytes
    err: bytes
    peak_octets: int = 0
    cpu_s: float = 0.0

    @property
    def words(self) -> str:
        """All it wrote as one line of words, so that a test does not depend on where lines were broken."""
        return " ".join((self.out + self.err).decode(errors="backslashreplace").split())


def root_for(what: str) -> pytest.MarkDecorator:
    """Passes a test over that takes root *for* something, where there is none."""
    return pytest.mark.skipif(os.geteuid() != 0, reason=f"{what}: run as root")


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    The environment of this process without settings of the sensor or of Python's output, and with *changes*.

    Tests that are run by root stay root: what they made may be for nobody else to read.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAILSENSOR_", "PYTHONUNBUF"))}
    stays = {"MAILSENSOR_RUN_USER": "root"} if os.geteuid() == 0 else {}
    return own | {"PYTHONPATH": str(ROOT)} | stays | dict(changes or {})


def mailsensor(
    *arguments: str | Path,
    stdin: bytes | None = None,
    changes: Mapping[str, str] | None = None,
    before: Iterable[str] = (),
    cwd: Path | None = None,
) -> Ended:
    """Run ``mailsensor`` to its end. *before* is a command that runs it, such as ``setpriv`` with its options."""
    command = [*before, *COMMAND, *map(str, arguments)]
    given: dict[str, object] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(changes),
        capture_output=True,
        timeout=120,
        check=False,
        **given,  # type: ignore[call-overload]
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def fed(octets: Iterable[bytes], *arguments: str) -> Ended:
    """Run ``mailsensor`` on a standard input that is written as it is read, and measure what that takes."""
    reading, writing = os.pipe()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, os.fdopen(reading) as peak:
        process = subprocess.Popen(
            [sys.executable, "-c", _MEASURED, *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=environment({"PEAK_FD": str(writing)}),
            pass_fds=[writing],
        )
        os.close(writing)
        assert process.stdin is not None
        # A process that ended early is found out below, by its status and words.
        with suppress(BrokenPipeError), process.stdin as pipe:
            for piece in octets:
                pipe.write(piece)
        status = process.wait(timeout=120)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        out.seek(0)
        err.seek(0)
        cpu_s = spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime
        return Ended(status, out.read(), err.read(), int(peak.read() or 0) << 10, cpu_s)


def needs(program: str, package: str) -> str:
    """The path of *program*. Without it the test is passed over and says how to get it; in CI that is a failure."""
    path = shutil.which(program)
    if path is None:
        lacking(f"{program} is not installed: apt-get install {package}")
    return path


def lacking(what: str) -> NoReturn:
    """The test is passed over and says what it lacks; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
