"""
The rate of live capture without loss: captures are replayed onto a virtual cable at rising rates, the sensor at its
end.

    python -m benchmarks.live --mix small --mix large
    python -m benchmarks.live --rate 500 --rate top --workers 2
    python -m benchmarks.live --highest            the highest rate without loss, by halving, each listener in its turn

Takes root, ``ip`` and ``tcpreplay`` (Debian: iproute2, tcpreplay). Sender and sensor share the machine, so the highest
rate is that of both together. Beside it, on the same cable, Suricata live, where it is installed: after the same
rates, not at the same time. What the cable itself lost is told apart from what the sensor's ring lost: a virtual cable
has a queue of its own, and what it drops no listener was ever shown.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tools import HERE
from benchmarks.whole_job import OUT, capture_of

# Takes events and drops them: what capture and core can do, without classifier, ledger, detectors and records.
_CORE_ONLY = """
import json, signal, sys
from sensor.classify import builtin_table
from sensor.settings import LiveSettings
from sensor.taps.live import LiveTap
how = LiveSettings(workers=int(sys.argv[1]), ring_octets=int(sys.argv[2]))
tap = LiveTap(["b0"], builtin_table().interest, settings=how)
signal.signal(signal.SIGINT, lambda *_: tap.stop())
print("capturing", file=sys.stderr, flush=True)
for batch in tap.batches():
    pass
lost = [{"kind": each.kind, "detail": each.detail} for each in tap.damage()]
print(json.dumps({"damage": lost, "coverage": {"mails": tap.counters()["transactions"]}}))
"""

RATES = ("100", "250", "500", "1000", "2000", "top")
NET = "mailsensor-bench"
# Time for the last frames to be read, and for Suricata to write what it saw.
SETTLE_S = 2.0
# Suricata leaves some mails in a thousand out at any rate (see the comparison of whole jobs).
WHOLE = 0.999
LEAST_MEGABITS = 10.0


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: what was sent, how fast, what arrived at the cable's end, and what the listener made of it."""

    sent: int
    seconds: float
    megabits: float
    arrived: int
    dropped: int | None
    mails: int
    cpu_s: float


@contextmanager
def cable() -> Iterator[None]:
    """Two joined interfaces, a0 and b0, in a namespace of their own."""
    _ip("netns", "add", NET)
    try:
        _ip("-n", NET, "link", "add", "a0", "type", "veth", "peer", "name", "b0")
        for end in ("a0", "b0"):
            subprocess.run(
                ["ip", "netns", "exec", NET, "sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1"], check=True
            )
            _ip("-n", NET, "link", "set", end, "up")
        yield
    finally:
        _ip("netns", "del", NET)


def replay_onto(capture: Path, rate: str) -> tuple[int, float, float]:
    """Send a capture at *rate* Mbit/s, or as fast as it goes: frames, seconds, Mbit/s."""
    speed = ["--topspeed"] if rate == "top" else [f"--mbps={rate}"]
    done = subprocess.run(
        [*_inside(), "tcpreplay", "--intf1=a0", "--preload-pcap", "--quiet", *speed, str(capture)],
        capture_output=True,
        text=True,
        check=True,
    )
    packets = re.search(r"Actual: (\d+) packets .* sent in ([0-9.]+) seconds", done.stdout)
    megabits = re.search(r"([0-9.]+) Mbps", done.stdout)
    if packets is None or megabits is None:
        raise SystemExit(f"tcpreplay said:\n{done.stdout}{done.stderr}")
    return int(packets[1]), float(packets[2]), float(megabits[1])


def sensor_run(command: list[str], capture: Path, rate: str, options: argparse.Namespace) -> Run:
    """The sensor, or its core alone, to its summary."""
    environment = os.environ | {
        "MAILSENSOR_LIVE_WORKERS": str(options.workers),
        "MAILSENSOR_LIVE_RING_OCTETS": str(options.ring_octets),
    }
    before = _arrived()
    process = subprocess.Popen(
        [*_inside(), *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if process.stderr is None or process.stdout is None or b"capturing" not in process.stderr.readline():
        raise SystemExit("the sensor did not start")
    sent, seconds, megabits = replay_onto(capture, rate)
    time.sleep(SETTLE_S)
    arrived = _arrived() - before
    process.send_signal(signal.SIGINT)
    out = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    summary = json.loads(out)
    dropped = sum(_number(each["detail"]) for each in summary["damage"] if each["kind"] == "dropped")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(sent, seconds, megabits, arrived, dropped, summary["coverage"]["mails"], cpu_s)


def suricata_run(capture: Path, rate: str) -> Run:
    """Suricata on the same end, set up for mail as in the comparison of whole jobs."""
    out = OUT / "live-suricata"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    before = _arrived()
    settings = str(HERE / "suricata.yaml")
    command = ["suricata", "-c", settings, "-S", "/dev/null", "-k", "none", "-l", str(out), "--af-packet=b0"]
    with (out / "log").open("wb") as log:
        process = subprocess.Popen([*_inside(), *command], stdout=log, stderr=log)
        time.sleep(4)
        sent, seconds, megabits = replay_onto(capture, rate)
        time.sleep(SETTLE_S)
        arrived = _arrived() - before
        process.send_signal(signal.SIGINT)
        _, _, usage = os.wait4(process.pid, 0)
    eve = out / "eve.json"
    mails = eve.read_bytes().count(b'"mail_from":') if eve.exists() else 0
    return Run(sent, seconds, megabits, arrived, None, mails, usage.ru_utime + usage.ru_stime)


def _inside() -> list[str]:
    return ["ip", "netns", "exec", NET]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _arrived() -> int:
    """Frames that came to the listener's end of the cable since it was made."""
    told = subprocess.run(
        ["ip", "-n", NET, "-s", "-j", "link", "show", "b0"], capture_output=True, text=True, check=True
    ).stdout
    return int(json.loads(told)[0]["stats64"]["rx"]["packets"])


def _number(detail: str) -> int:
    """The number of frames in what is told of losses."""
    found = re.search(r"dropped ([0-9,]+) frames", detail)
    return int(found[1].replace(",", "")) if found is not None else 0


def _row(name: str, rate: str, run: Run, mails: int) -> str:
    dropped = "-" if run.dropped is None else f"{run.dropped:,}"
    lost_by_cable = run.sent - run.arrived
    return (
        f"{name:12}{rate:>6}{run.megabits:>9,.0f}{run.sent / run.seconds:>11,.0f}{lost_by_cable:>10,}"
        f"{dropped:>10}{run.mails:>10,}{run.mails / mails:>9.1%}{run.cpu_s:>8.2f}"
    )


def _commands(options: argparse.Namespace) -> dict[str, list[str]]:
    program = str(Path(sysconfig.get_path("scripts")) / "mailsensor")
    return {
        "sensor": [program, "sniff", "-i", "b0", "--json", "--events", os.devnull],
        "core only": [sys.executable, "-c", _CORE_ONLY, str(options.workers), str(options.ring_octets)],
    }


def measure(mix: str, options: argparse.Namespace) -> None:
    """All rates of one mix, both listeners."""
    capture, facts = capture_of(mix, options.megabytes, options.seed)
    print(f"\n{mix}: {facts['octets'] / 1e6:,.0f} MB, {facts['frames']:,} frames, {facts['mails']:,} mails")
    print("             asked   Mbit/s   frames/s  by cable   by ring     mails            cpu s")
    for name, command in _commands(options).items():
        for rate in options.rate:
            run = sensor_run(command, capture, rate, options)
            print(_row(name, rate, run, facts["mails"]), flush=True)
    if not options.no_suricata and shutil.which("suricata"):
        for rate in options.rate:
            print(_row("suricata", rate, suricata_run(capture, rate), facts["mails"]), flush=True)


def highest(mix: str, options: argparse.Namespace) -> None:
    """
    The highest rate at which each listener tells of every mail, to some 10 %, and how it compares with Suricata's.

    Where the sender's own best is told of whole, that is the answer: no more can be said here.
    """
    capture, facts = capture_of(mix, options.megabytes, options.seed)
    print(f"\n{mix}: {facts['octets'] / 1e6:,.0f} MB, {facts['frames']:,} frames, {facts['mails']:,} mails")
    listeners = {name: _sensor_at(command, capture, options) for name, command in _commands(options).items()}
    if not options.no_suricata and shutil.which("suricata"):
        listeners["suricata"] = lambda rate: suricata_run(capture, rate)
    best: dict[str, float] = {}
    for name, run_at in listeners.items():
        best[name] = _highest_of(name, run_at, facts["mails"])
    for name, megabits in best.items():
        ratio = f"{megabits / best['suricata']:6.1f} x suricata" if best.get("suricata") else ""
        print(f"{name:12} without loss up to {megabits:7,.0f} Mbit/s {ratio}")


def _highest_of(name: str, run_at: Callable[[str], Run], mails: int) -> float:
    """Halves the range between a rate that is known to do and one that is known not to."""
    top = run_at("top")
    print(_row(name, "top", top, mails), flush=True)
    if _is_whole(top, mails):
        return top.megabits
    does, does_not = 0.0, top.megabits
    while does_not > 1.1 * does and does_not > LEAST_MEGABITS:
        asked = (does + does_not) / 2
        run = run_at(f"{asked:.0f}")
        print(_row(name, f"{asked:.0f}", run, mails), flush=True)
        if _is_whole(run, mails):
            does = max(does, run.megabits)
        else:
            does_not = min(asked, run.megabits) if run.megabits > does else asked
    return does


def _is_whole(run: Run, mails: int) -> bool:
    """True if nothing was lost on the way and every mail was told of, but the few that Suricata always leaves out."""
    return not run.dropped and run.mails >= mails * WHOLE


def _sensor_at(command: list[str], capture: Path, options: argparse.Namespace) -> Callable[[str], Run]:
    return lambda rate: sensor_run(command, capture, rate, options)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Live capture at rising rates, on a virtual cable.")
    parser.add_argument("--mix", choices=["large", "small"], action="append", help="default: both, one after the other")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", action="append", help=f"Mbit/s, or top; default {', '.join(RATES)}")
    parser.add_argument("--highest", action="store_true", help="look for the highest rate without loss")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ring-octets", type=int, default=64 << 20)
    parser.add_argument("--no-suricata", action="store_true")
    options = parser.parse_args()
    options.mix = options.mix or ["large", "small"]
    options.rate = options.rate or list(RATES)
    for program in ("ip", "tcpreplay"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed; as root: apt-get install iproute2 tcpreplay")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, {time.strftime('%Y-%m-%d %H:%M')} UTC")
    with cable():
        for mix in options.mix:
            (highest if options.highest else measure)(mix, options)


if __name__ == "__main__":
    main()
