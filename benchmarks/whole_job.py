"""
Runs the whole job beside Suricata, tshark and ``wc -l`` on one capture and prints times, memory, counts and ratios.

    python -m benchmarks.whole_job --mix large --megabytes 500 --runs 5
    python -m benchmarks.whole_job --flatness

The programs run in turn, one round after the other, so that what else the machine does falls on all of them; the
capture lies in the page cache. The ratios are of the fastest runs. A count that differs means that a program did other
work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.tools import Tool, ours, peers

OUT = Path(__file__).parent / "out"


@dataclass(slots=True)
class Result:
    """The runs of one program over one capture."""

    tool: Tool
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak_kib: int = 0
    mails: int | None = None


def run_once(result: Result, capture: Path) -> None:
    """Run the program once and note what it took. Raises ``SystemExit`` if it fails."""
    with tempfile.TemporaryDirectory(dir=OUT) as directory:
        out = Path(directory)
        command = result.tool.command(capture, out)
        with (out / "stdout").open("wb") as stdout, (out / "stderr").open("wb") as stderr:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(
                f"{' '.join(command)} ended with {process.returncode}:\n{(out / 'stderr').read_text()[-2000:]}"
            )
        result.wall_s.append(wall_s)
        result.cpu_s.append(usage.ru_utime + usage.ru_stime)
        result.peak_kib = max(result.peak_kib, usage.ru_maxrss)
        if result.mails is None:
            result.mails = result.tool.mails(out)


def compare(tools: list[Tool], capture: Path, runs: int, slow_runs: int) -> list[Result]:
    """Every program *runs* times, in turn."""
    results = [Result(tool) for tool in tools]
    for number in range(max(runs, slow_runs)):
        for result in results:
            if number < (slow_runs if result.tool.slow else runs):
                run_once(result, capture)
    return results


def print_table(results: list[Result], megabytes: float, mails: int) -> None:
    """A row for each program; rates are of its fastest run."""
    names = ("runs", "min s", "median s", "cpu s", "MB/s", "mails/s", "peak MiB", "mails")
    print(f"{'':18}" + "".join(f"{name:>10}" for name in names))
    for result in results:
        fastest = min(result.wall_s)
        told = (
            f"{len(result.wall_s)}",
            f"{fastest:.3f}",
            f"{median(result.wall_s):.3f}",
            f"{median(result.cpu_s):.3f}",
            f"{megabytes / fastest:,.0f}",
            f"{mails / fastest:,.0f}",
            f"{result.peak_kib / 1024:.1f}",
            "-" if result.mails is None else f"{result.mails:,}",
        )
        print(f"{result.tool.name:18}" + "".join(f"{text:>10}" for text in told))


def print_ratios(results: list[Result]) -> None:
    """How many times the rate of each peer each form of ours reaches."""
    own = {tool.name for tool in ours()}
    others = [result for result in results if result.tool.name not in own]
    print(f"\n{'times the rate of':18}" + "".join(f"{result.tool.name:>12}" for result in others))
    for result in results:
        if result.tool.name in own:
            ratios = (min(other.wall_s) / min(result.wall_s) for other in others)
            print(f"{result.tool.name:18}" + "".join(f"{ratio:12.2f}" for ratio in ratios))


def capture_of(mix: str, megabytes: int, seed: int) -> tuple[Path, dict[str, int]]:
    """A generated capture and its facts, made unless it lies there from an earlier run."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{mix}-{megabytes}-{seed}.pcap"
    facts_path = path.with_suffix(".json")
    if not facts_path.exists():
        # In a process of its own: the peak memory of a child counts from that of its parent.
        command = [sys.executable, "-m", "benchmarks.generate", "--mix", mix, "--megabytes", str(megabytes)]
        made = subprocess.run([*command, "--seed", str(seed), "--out", str(path)], check=True, stdout=subprocess.PIPE)
        facts_path.write_bytes(made.stdout)
    # Read it once, so that it lies in the page cache.
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
    return path, json.loads(facts_path.read_text())


def compare_mix(mix: str, options: argparse.Namespace) -> None:
    """Generate one mix and compare on it."""
    capture, facts = capture_of(mix, options.megabytes, options.seed)
    megabytes = facts["octets"] / 1e6
    mails, mean = facts["mails"], facts["mail_octets"] // facts["mails"]
    print(f"\n{mix}: {megabytes:.0f} MB, {facts['frames']:,} frames, {mails:,} mails of {mean:,} octets")
    tools = ours() + peers(sys.stderr.write)
    if options.only:
        tools = [tool for tool in tools if tool.name in options.only]
    tools = [tool for tool in tools if options.slow_runs or not tool.slow]
    results = compare(tools, capture, options.runs, options.slow_runs)
    print_table(results, megabytes, facts["mails"])
    print_ratios(results)


def flatness(options: argparse.Namespace) -> None:
    """Peak memory of the whole job over a capture and over one ten times as long."""
    tool = next(tool for tool in ours() if tool.name == "replay --quiet")
    for mix in options.mix:
        for megabytes in (200, 2_000):
            capture, facts = capture_of(mix, megabytes, options.seed)
            result = Result(tool)
            for _ in range(options.runs):
                run_once(result, capture)
            size, peak = facts["octets"] / 1e6, result.peak_kib / 1024
            print(f"{mix:6}{size:9,.0f} MB{facts['mails']:12,} mails: peak {peak:7.1f} MiB")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="The whole job beside Suricata, tshark and wc -l on one capture.")
    parser.add_argument("--mix", choices=["large", "small"], action="append", help="default: both, one after the other")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--slow-runs", type=int, default=1, help="of tshark, which takes minutes (default 1; 0 leaves it out)"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="run this program only; may be given several times"
    )
    parser.add_argument("--flatness", action="store_true", help="compare peak memory over 200 MB and 2 GB instead")
    options = parser.parse_args()
    options.mix = options.mix or ["large", "small"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, {time.strftime('%Y-%m-%d %H:%M')} UTC")
    if options.flatness:
        flatness(options)
    else:
        for mix in options.mix:
            compare_mix(mix, options)


if __name__ == "__main__":
    main()
