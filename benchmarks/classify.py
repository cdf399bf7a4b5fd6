"""
What classification costs each mail: ordinary mail, mail that the table touches, and each kind of forward.

``python -m benchmarks.classify [--mails N]`` prints nanoseconds a mail for the core's reading with an empty table and
with the table in force, and for the verdict. What the table adds to reading is what ordinary mail pays for it.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sensor import _core
from sensor.classify import Organisation, builtin_table, classify
from sensor.taps.capture import core_interest

CASES = Path(__file__).parent.parent / "tests" / "classify" / "cases"
ORDINARY = (
    "Received: from mx.shop.example (mx.shop.example [203.0.113.9]) by mx.corp.example with ESMTPS id A1\r\n"
    " for <ann@corp.example>; Sun, 22 Nov 2026 01:00:00 +0000\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=a; h=from:to; bh=AA==; b=BB==\r\n"
    "From: Bill <bill@shop.example>\r\nTo: Ann <ann@corp.example>\r\nSubject: Minutes of the meeting\r\n"
    "Date: Sun, 22 Nov 2026 01:00:00 +0000\r\nMessage-ID: <m1@shop.example>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n" + "The quick brown fox jumps over the lazy dog.\r\n" * 60
)
SHOWN = (
    "01_google_caf",
    "02_exchange_rule_redirect",
    "04_exchange_rule_forward",
    "06_hand_forward",
    "07_reply",
    "09_sieve_redirect",
    "12_journal",
    "13_group_with_list_id",
)


def nanoseconds(work: Callable[[], object], times: int) -> float:
    """The best of five runs, which the rest of the machine disturbed least."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter_ns()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter_ns() - started) / times)
    return best


def line(name: str, content: bytes, envelope: dict[str, Any], times: int) -> str:
    """One mail's row: reading with an empty table, what the table adds, the verdict."""
    table, corp = builtin_table(), Organisation(["corp.example"])
    empty, full = _core.Interest(), core_interest(table.interest)
    without = nanoseconds(lambda: _core.parse_message(content, empty, **envelope), times)
    with_table = nanoseconds(lambda: _core.parse_message(content, full, **envelope), times)
    read = _core.parse_message(content, full, **envelope)
    verdict = nanoseconds(lambda: classify(read, corp, table), times)
    return f"{name:34} {without:9.0f} {with_table - without:9.0f} {verdict:9.0f}"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=5_000, help="mails a run (default 5000)")
    times = parser.parse_args().mails
    print(f"{'mail':34} {'read':>9} {'+ table':>9} {'verdict':>9}   ns a mail")
    envelope = {"reverse_path": "bill@shop.example", "forward_paths": ["ann@corp.example"]}
    print(line("ordinary", ORDINARY.encode(), envelope, times))
    for name in SHOWN:
        case = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))
        print(line(name, case["content"].lstrip("\n").encode(), case["envelope"], max(1, times // 10)))


if __name__ == "__main__":
    main()
