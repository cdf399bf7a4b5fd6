"""Alert files read back: the alerts in them, each as last told, and whether the evidence is as it was written."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from sensor.alert import chain
from sensor.alert.record import AlertRecord, read_alert

MAX_LINE_OCTETS = 8 * 1024 * 1024
"""An alert has some 10 kB. A line longer than this is none and is passed over unread."""

MAX_PROBLEMS = 100
"""Lines of which it is said why they are no alerts: a file named by mistake may have nothing but such lines."""


@dataclass(slots=True)
class Told:
    """
    One alert of a file: its tellings as they were read, without those that a courier delivered twice. Where only the
    last is kept, the others are not missed.
    """

    records: list[AlertRecord]
    plain: list[dict[str, Any]]
    is_last_only: bool = False

    @property
    def latest(self) -> AlertRecord:
        """The telling with the highest number: the file may have been put together out of order."""
        return max(self.records, key=lambda record: record.updates)

    def problems(self) -> list[str]:
        """What is wrong with the evidence, a sentence each."""
        found = [problem for each in self.plain for problem in chain.verify(each)]
        history = () if self.is_last_only else chain.verify_history(self.plain)
        return list(dict.fromkeys((*found, *history)))


@dataclass(slots=True)
class AlertFile:
    """
    The alerts of a file by id, in the order they first fired; ``unread`` counts lines that are none, ``problems`` says
    of the first of them why.
    """

    alerts: dict[str, Told] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unread: int = 0

    def pass_over(self, why: str) -> None:
        """Count a line that is no alert."""
        self.unread += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(why)

    def matching(self, start: str) -> list[Told]:
        """The alerts whose id begins with *start*."""
        return [told for alert_id, told in self.alerts.items() if alert_id.startswith(start.lower())]


def alerts_in(lines: Iterable[tuple[str, bytes]]) -> AlertFile:
    """The alerts of *lines*, each with a name for problems, that hold only the last telling of each."""
    found = AlertFile()
    for name, line in lines:
        _take(found, name, line)
    for told in found.alerts.values():
        told.is_last_only = True
    return found


def read_alerts(path: str) -> AlertFile:
    """
    Read alert records from a file, or from standard input (``-``). Lines that are none are named and passed over.

    Raises ``OSError``.
    """
    found = AlertFile()
    with open(path, "rb") if path != "-" else nullcontext(sys.stdin.buffer) as file:
        for number, line in _lines(file):
            _take(found, f"line {number}", line)
    return found


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number, none for one that is too long."""
    number = 0
    while line := file.readline(MAX_LINE_OCTETS):
        number += 1
        if line.endswith(b"\n") or len(line) < MAX_LINE_OCTETS:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_OCTETS)
        yield number, None


def _take(found: AlertFile, name: str, line: bytes | None) -> None:
    if line is None:
        found.pass_over(f"{name} is longer than any alert")
        return
    if not line.strip():
        return
    try:
        record = read_alert(line)
        plain = json.loads(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        found.pass_over(f"{name} is no alert: {error}")
        return
    told = found.alerts.setdefault(record.id, Told([], []))
    if not _is_repeated(told.plain, plain):
        told.records.append(record)
        told.plain.append(plain)


def _is_repeated(before: Iterable[dict[str, Any]], plain: dict[str, Any]) -> bool:
    """True for a record that differs from one before it by nothing but the mark of its delivery."""
    seal = plain["evidence"]["seal"]
    return any(
        each | {"redelivered": plain["redelivered"]} == plain for each in before if each["evidence"]["seal"] == seal
    )
