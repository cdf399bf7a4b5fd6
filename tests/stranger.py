"""A user whom no directory knows, and the command as that user can run it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.running import ROOT, root_for

STRANGER = 54_321
"""No user of that number exists anywhere, so what works with it needs no entry in a directory."""

needs_root = root_for("only root can become somebody else")


def stranger_command() -> tuple[str, ...]:
    """
    ``mailsensor``, without the word of other tests that it may stay root, by an interpreter that others can read.

    What is imported after rights were given up is read as the stranger, so one in root's home won't do; then it is the
    system's, if that is of the same version.
    """
    packages = sysconfig.get_path("platlib")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}"):
        if Path(python).exists() and all(map(_others_can_read, (_library(python), Path(packages), ROOT))):
            return "env", "--unset=MAILSENSOR_RUN_USER", f"PYTHONPATH={ROOT}:{packages}", python, "-m", "sensor"
    pytest.skip("neither the tests' Python nor the system's can be read by other users")


def _library(python: str) -> Path:
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    return Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())


def _others_can_read(path: Path) -> bool:
    return all(each.stat().st_mode & 0o005 == 0o005 for each in (path, *path.parents))
