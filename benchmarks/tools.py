"""The programs that read the same capture, how each is called, and how many mails each says it saw."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

SURICATA_MISSING = """\
Suricata is not installed: its row is left out. On Debian 12 it is in the suite bookworm-backports; as root, write a
copy of debian.sources in /etc/apt/sources.list.d with that suite in its "Suites:" line, then
  apt-get update && apt-get install -t bookworm-backports suricata
"""
TSHARK_MISSING = "tshark is not installed: its row is left out. As root: apt-get install tshark\n"

_IMF_FIELDS = ("from", "to", "cc", "subject", "date", "message_id", "received", "reply_to", "references", "in_reply_to")

_CORE_ONLY = """
import sys
from sensor import _core
from sensor.classify import builtin_table
wanted = builtin_table().interest
interest = _core.Interest(
    fields=wanted.fields,
    reverse_path_marks=wanted.reverse_path_marks,
    subject_prefixes=wanted.subject_prefixes,
    body_marks=wanted.body_marks,
)
replay = _core.Replay([sys.argv[1]], interest)
while (batch := replay.next_batch()) is not None:
    pass
counts = replay.counters()
print(counts["transactions"])
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: *command* gives its arguments for a capture and an empty directory, *mails* counts what is there."""

    name: str
    command: Callable[[Path, Path], list[str]]
    mails: Callable[[Path], int | None]
    slow: bool = False
    """Takes so much longer than the others that it is run fewer times."""


def ours() -> list[Tool]:
    """The sensor in three forms: the whole job, the same with every record written, and the core without judgement."""
    program = str(Path(sysconfig.get_path("scripts")) / "mailsensor")
    return [
        Tool(
            "replay, summary",
            lambda capture, _out: [program, "replay", "--json", str(capture)],
            lambda out: _number(out / "stdout", b'"mails":'),
        ),
        Tool("replay --quiet", lambda capture, _out: [program, "replay", "--quiet", str(capture)], lambda _out: None),
        Tool(
            "replay --events",
            lambda capture, out: [program, "replay", "--quiet", "--events", str(out / "events.jsonl"), str(capture)],
            lambda out: _count(out / "events.jsonl", b'"record":"transaction"'),
        ),
        Tool(
            "core only",
            lambda capture, _out: [sys.executable, "-c", _CORE_ONLY, str(capture)],
            lambda out: int((out / "stdout").read_text()),
        ),
    ]


def peers(complain: Callable[[str], object]) -> list[Tool]:
    """``wc -l`` and those of the other programs that are installed; *complain* hears how to get the missing ones."""
    found = [Tool("wc -l", lambda capture, _out: ["wc", "-l", str(capture)], lambda _out: None)]
    if shutil.which("suricata"):
        found.append(Tool("suricata", _suricata, lambda out: _count(out / "eve.json", b'"mail_from":')))
    else:
        complain(SURICATA_MISSING)
    if shutil.which("tshark"):
        found.append(Tool("tshark", _tshark, lambda out: _count(out / "stdout", b"\n"), slow=True))
    else:
        complain(TSHARK_MISSING)
    return found


def _suricata(capture: Path, out: Path) -> list[str]:
    settings = str(HERE / "suricata.yaml")
    return [
        "suricata",
        "-c",
        settings,
        "-S",
        "/dev/null",
        "--runmode",
        "single",
        "-k",
        "none",
        "-l",
        str(out),
        "-r",
        str(capture),
    ]


def _tshark(capture: Path, out: Path) -> list[str]:
    fields = [argument for field in _IMF_FIELDS for argument in ("-e", f"imf.{field}")]
    return ["tshark", "-n", "-r", str(capture), "-Y", "imf", "-T", "fields", "-e", "smtp.req.parameter", *fields]


def _count(path: Path, mark: bytes) -> int:
    """How often *mark* occurs in a file."""
    with path.open("rb") as file:
        return sum(line.count(mark) for line in file)


def _number(path: Path, name: bytes) -> int:
    """The number that follows *name* in a file."""
    digits = path.read_bytes().partition(name)[2].lstrip()
    return int(digits[: len(digits) - len(digits.lstrip(b"0123456789"))])
