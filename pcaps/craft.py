"""
Makes the crafted captures: ``python -m pcaps.craft [--check] [CASE ...]``.

A crafted case is a folder with a ``make.py`` whose ``make()`` gives a :class:`tests.builders.Capture`. This writes
``input.pcap`` (or what the capture's suffix says) and the section "On the wire" at the end of the case's README. With
``--check`` nothing is written, and the status is 1 if anything differs from what is there.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import cast

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.builders import Capture  # noqa: E402  (the folder above must be found first)

TOPICS = ("file", "link", "ip", "tcp", "smtp", "other")
"""What crafted cases' names begin with; captures of real servers are made elsewhere."""

HEADING = "## On the wire"


def cases() -> list[Path]:
    """The folders of all crafted cases, in order of their names."""
    return sorted(path.parent for path in HERE.glob("*/make.py") if path.parent.name.split("_")[0] in TOPICS)


def made(case: Path) -> Capture:
    """What the case's ``make.py`` makes."""
    return cast("Capture", runpy.run_path(str(case / "make.py"))["make"]())


def files_of(case: Path) -> dict[Path, bytes]:
    """The files of a case that are made, with the octets they should hold."""
    capture = made(case)
    readme = case / "README.md"
    told, _, _ = readme.read_text().partition(HEADING)
    text = f"{told.rstrip()}\n\n{HEADING}\n```\n{capture.story}\n```\n"
    return {case / f"input{capture.suffix}": capture.octets, readme: text.encode()}


def differing(case: Path) -> list[Path]:
    """Those of them that are not as they should be, and captures that no ``make.py`` made."""
    wanted = files_of(case)
    stray = [path for path in case.glob("input*") if path not in wanted]
    return stray + [path for path, octets in wanted.items() if not path.exists() or path.read_bytes() != octets]


def main(arguments: list[str]) -> int:
    """Makes or checks the named cases, or all."""
    names = [argument for argument in arguments if not argument.startswith("--")]
    chosen = [case for case in cases() if not names or case.name in names]
    stale = [path for case in chosen for path in differing(case)]
    for path in stale:
        print(f"{'differs' if '--check' in arguments else 'written'}: {path.relative_to(HERE)}")
    if "--check" in arguments:
        return 1 if stale else 0
    for case in chosen:
        for path, octets in files_of(case).items():
            if path in stale:
                path.write_bytes(octets)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
