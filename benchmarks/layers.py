"""
Runs the benches of the core's layers and prints what each step costs.

    python -m benchmarks.layers              # all, about two minutes
    python -m benchmarks.layers tcp smtp     # some

The times are of one thread with everything in its caches; the whole job is in ``whole_job``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

CORE = Path(__file__).parents[1] / "sensor" / "core"
LAYERS = ("decode", "tcp", "smtp", "header", "mime", "engine")


def run(layer: str) -> None:
    """Run the benches of one layer; criterion leaves its estimates in the target directory."""
    command = ["cargo", "bench", "--quiet", "-p", "wire", "--bench", layer, "--", "--quick", "--noplot", "--quiet"]
    subprocess.run(command, cwd=CORE, check=True, stdout=subprocess.DEVNULL)


def results(kept: Path) -> Iterator[tuple[str, float, str]]:
    """Name, nanoseconds and rate of each bench whose estimates lie under *kept*."""
    for path in sorted(kept.glob("**/new/benchmark.json")):
        told = json.loads(path.read_text())
        estimates = json.loads(path.with_name("estimates.json").read_text())
        time_ns = (estimates.get("slope") or estimates["mean"])["point_estimate"]
        yield told["full_id"], time_ns, rate(told.get("throughput"), time_ns)


def rate(throughput: dict[str, int] | None, time_ns: float) -> str:
    """What passes in a second, in the unit that the bench counts in."""
    if throughput and "Bytes" in throughput:
        return f"{throughput['Bytes'] / time_ns * 1e3:,.0f} MB/s"
    if throughput and "Elements" in throughput:
        return f"{throughput['Elements'] / time_ns * 1e9:,.0f}/s"
    return ""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What each step of the core costs.")
    parser.add_argument("layers", nargs="*", metavar="LAYER", help=f"default: all of {', '.join(LAYERS)}")
    wanted = parser.parse_args().layers or LAYERS
    unknown = [layer for layer in wanted if layer not in LAYERS]
    if unknown:
        parser.error(f"no layer {', '.join(unknown)}: there are {', '.join(LAYERS)}")
    kept = Path(os.environ.get("CARGO_TARGET_DIR", CORE / "target")) / "criterion"
    for layer in wanted:
        shutil.rmtree(kept, ignore_errors=True)
        run(layer)
        for name, time_ns, passing in results(kept):
            print(f"{name:36}{time_ns:14,.0f} ns{passing:>20}", flush=True)


if __name__ == "__main__":
    main()
