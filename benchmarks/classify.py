"""
What classification costs each mail, with the core's interest filter and without, in one run.

``python -m benchmarks.classify [--mails N]`` prints microseconds a mail. *Before* is the plain way: every row of the
table tried on every mail in Python, with its fields split, its subject and body looked through, and its marks then held
against the rules. *After* is what a replay does: the core looks for what the table names while it reads the mail, and
only mail that has any of it is judged. Both find the same rows, which the run checks. Reading itself, with a table that
names nothing, is left out of both, and told beside them.
"""

from __future__ import annotations

import argparse
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor import _core
from sensor.classify import Organisation, builtin_table, classify, judge
from sensor.classify.rows import Row
from sensor.classify.text import split_subject
from sensor.taps.capture import core_interest

CASES = Path(__file__).parent.parent / "tests" / "classify" / "cases"
ORDINARY = (
    "Received: from mx.shop.example (mx.shop.example [203.0.113.9]) by mx.corp.example with ESMTPS id A1\r\n"
    " for <ann@corp.example>; Sun, 22 Nov 2026 01:00:00 +0000\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=a; h=from:to; bh=AA==; b=BB==\r\n"
    "From: Bill <bill@shop.example>\r\nTo: Ann <ann@corp.example>\r\nSubject: Minutes of the meeting\r\n"
    "Date: Sun, 22 Nov 2026 01:00:00 +0000\r\nMessage-ID: <m1@shop.example>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
)
LINE = "The quick brown fox jumps over the lazy dog.\r\n"
ENVELOPE = {"reverse_path": "bill@shop.example", "forward_paths": ["ann@corp.example"]}
TOUCHED = (
    "07_reply",
    "06_hand_forward",
    "13_group_with_list_id",
    "12_journal",
    "04_exchange_rule_forward",
    "360_fresh_gmail_whole_header",
    "368_fresh_exo_redirect_whole_header",
    "385_fresh_dovecot_whole_header",
)
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail to measure with."""

    name: str
    content: bytes
    envelope: dict[str, Any]


def samples() -> Iterator[Sample]:
    """Ordinary mail of three sizes, then mail of the tests that the table touches."""
    for lines in (0, 60, 1_000):
        content = (ORDINARY + LINE * lines).encode()
        yield Sample(f"ordinary, {len(content):,} octets", content, ENVELOPE)
    for name in TOUCHED:
        case = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))
        yield Sample(name, case["content"].lstrip("\n").encode(), case["envelope"])


class Dumb:
    """Every row of the table tried on a mail, one after the other."""

    def __init__(self) -> None:
        self._rows = builtin_table().rows
        self._patterns = {row.slug: re.compile(row.pattern, re.IGNORECASE) for row in self._rows if row.pattern}

    def slugs(self, content: bytes, envelope: dict[str, Any]) -> set[str]:
        """The rows that the mail shows by themselves: in its reverse-path, its fields, its subject and its body."""
        head, _, body = content.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")
        unfolded = re.sub(r"\n(?=[ \t])", "", head)
        fields = [(name, value.strip()) for name, _, value in (each.partition(":") for each in unfolded.split("\n"))]
        subject = next((value for name, value in fields if name.lower() == "subject"), "")
        prefix, text = split_subject(subject)[0], body.lower()
        reverse_path = envelope.get("reverse_path") or ""
        return {row.slug for row in self._rows if self._shows(row, reverse_path, fields, prefix, text)}

    def _shows(self, row: Row, reverse_path: str, fields: list[tuple[str, str]], prefix: str, text: str) -> bool:
        pattern = self._patterns.get(row.slug)
        if row.place == "reverse_path" and pattern is not None:
            return pattern.fullmatch(reverse_path) is not None
        if row.place == "field" and pattern is not None and row.field is not None:
            wanted = row.field.lower()
            return any(name.lower() == wanted and pattern.fullmatch(value) for name, value in fields)
        if row.place == "subject":
            return prefix in row.prefixes
        return row.place == "body" and any(mark.lower() in text for mark in row.marks)


def nanoseconds(works: tuple[Callable[[], object], ...], times: int) -> list[float]:
    """Processor time, the best of several rounds of each, in turns: the rest of the machine disturbs all alike."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for at, work in enumerate(works):
            started = time.thread_time_ns()
            for _ in range(times):
                work()
            best[at] = min(best[at], (time.thread_time_ns() - started) / times)
    return best


def line(sample: Sample, times: int) -> str:
    """One mail's row of the answer."""
    table, corp, dumb = builtin_table(), Organisation(["corp.example"]), Dumb()
    empty, full = _core.Interest(), core_interest(table.interest)
    content, envelope = sample.content, sample.envelope

    def read() -> object:
        return _core.parse_message(content, empty, **envelope)

    found = _core.parse_message(content, full, **envelope)

    def before() -> object:
        dumb.slugs(content, envelope)
        return judge(found, corp, table)

    def after() -> object:
        return classify(_core.parse_message(content, full, **envelope), corp, table)

    judged = {each.slug for each in judge(found, corp, table).forwarding.artifacts}
    alone = {row.slug for row in table.rows if row.place in ("reverse_path", "field", "subject", "body")}
    missed = (judged & alone) - dumb.slugs(content, envelope)
    if missed:
        raise SystemExit(f"{sample.name}: the plain way misses {missed}")
    plain, slow, whole = (each / 1_000 for each in nanoseconds((read, before, after), times))
    # Below a tenth of a microsecond two readings of one mail differ by as much.
    fast = max(whole - plain, 0.1)
    return f"{sample.name:38} {plain:9.1f} {slow:9.1f} {fast:9.1f} {slow / fast:8.1f}"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=500, help="mails a round (default 500)")
    times = parser.parse_args().mails
    print(f"{'mail':38} {'reading':>9} {'before':>9} {'after':>9} {'ratio':>8}   µs a mail")
    for sample in samples():
        print(line(sample, times), flush=True)


if __name__ == "__main__":
    main()
