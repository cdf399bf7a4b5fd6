"""
Writes the output in docs/investigating.md anew, by running the commands that the page shows.

``python docs/make_investigating.py`` from the root of the checkout; a test compares the page with what comes out.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "investigating.md"
BLOCK = re.compile(r"(?m)^```\n(\$ (?:.*\\\n)*.*)\n(?:[^`].*\n|\n)*?```$")


def main() -> None:
    """Runs the replay, then every command whose output the page shows."""
    with tempfile.TemporaryDirectory() as folder:
        page = PAGE.read_text()
        replay = re.search(r"(?m)^mailsensor (replay (?:.*\\\n)*.*)$", page)
        if replay is None:
            raise SystemExit("the page shows no replay")
        (Path(folder) / "mailsensor.toml").write_text("")
        run(f"{replay[1]} --quiet", folder)
        PAGE.write_text(BLOCK.sub(filled(folder), page))


def filled(folder: str) -> Callable[[re.Match[str]], str]:
    """Fills a block that begins with a command with that command's output."""

    def fill(block: re.Match[str]) -> str:
        shown = block[1]
        output = run(shown.removeprefix("$ mailsensor "), folder)
        return f"```\n{shown}\n{output.rstrip()}\n```"

    return fill


def run(command: str, folder: str) -> str:
    """The output of a command of the page; what the page reads and writes stands in *folder*."""
    import shlex

    own = {"alerts.jsonl", "mailsensor.toml", "records.jsonl"}
    words = [f"{folder}/{word}" if word in own else word for word in shlex.split(command.replace("\\\n", " "))]
    done = subprocess.run(
        [sys.executable, "-m", "sensor", *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.replace(f"{folder}/", "")


if __name__ == "__main__":
    main()
