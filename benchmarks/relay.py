"""
What a relay costs: rate, CPU, memory, and how long a small mail takes beside large ones.

    python -m benchmarks.relay                     every relay, every size
    python -m benchmarks.relay --only ours --size 10000 --mails 5000

The same mails by the same sender (smtp-source) to the same sink (smtp-sink), in one run: directly, through ours on both
event loops with classification and records on, through Postfix's smtpd_proxy_filter (takes root), and through a relay
made of aiosmtpd and aiosmtplib. Takes Postfix's tools (Debian: postfix), aiosmtpd and aiosmtplib.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

SIZES = (1_000, 10_000, 100_000)
SESSIONS = 10
DIRECT = "direct"
LARGE = 30_000_000

# A relay as one would write it: aiosmtpd takes a mail whole, aiosmtplib sends it on over a connection that is kept.
_AIOSMTPD = """
import asyncio, sys
import aiosmtplib
from aiosmtpd.smtp import SMTP

class Onward:
    def __init__(self):
        self.pool = []
    async def handle_DATA(self, server, session, envelope):
        try:
            client = self.pool.pop()
        except IndexError:
            client = aiosmtplib.SMTP(hostname="127.0.0.1", port=int(sys.argv[2]), use_tls=False, start_tls=False)
            await client.connect()
        try:
            _, said = await client.sendmail(envelope.mail_from, envelope.rcpt_tos, envelope.content)
        except aiosmtplib.SMTPException:
            return "451 4.3.0 Later"
        self.pool.append(client)
        return "250 " + said

async def main():
    onward = Onward()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(onward, data_size_limit=100_000_000, loop=loop), "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()

if len(sys.argv) > 3:
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Relay:
    """What stands between: *start* takes the sink's port and gives its own port and its process, if it is one."""

    name: str
    start: Callable[[int, ExitStack], tuple[int, int | None]]


@dataclass(frozen=True, slots=True)
class Running:
    """One that was started: its port, its process if it is one, and the process whose processor time is told."""

    name: str
    port: int
    process: int | None
    timed: int


@dataclass(frozen=True, slots=True)
class Rate:
    """What one run came to."""

    mails_s: float
    cpu_us: float


def main() -> None:
    """Run what the command line names, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="relays whose name has this; repeatable")
    parser.add_argument("--size", action="append", type=int, help="octets of a mail; repeatable")
    parser.add_argument("--mails", type=int, default=4_000, help="mails of a run, fewer of large ones")
    parser.add_argument(
        "--runs",
        type=int,
        default=5,
        help="runs of each, in turns; the best is told, and the median of its share of what goes directly",
    )
    options = parser.parse_args()
    for tool in ("smtp-source", "smtp-sink"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: apt-get install postfix")
    wanted = [each for each in RELAYS if not options.only or any(part in each.name for part in options.only)]
    with ExitStack() as opened:
        measure(started(wanted, opened), options.size or SIZES, options.mails, options.runs)


def started(relays: Iterable[Relay], opened: ExitStack) -> list[Running]:
    """Those that can be started here, each with a sink of its own."""
    running = []
    for relay in relays:
        sink_port, sink = opened.enter_context(smtp_sink())
        try:
            port, process = relay.start(sink_port, opened)
        except RuntimeError as error:
            print(f"{relay.name}: {error}")
            continue
        until_open(port)
        running.append(Running(relay.name, port, process, process or sink))
    return running


def measure(running: Sequence[Running], sizes: Sequence[int], mails: int, runs: int) -> None:
    """All of them in turns, so that what else the machine does is the same for each, and a line for each."""
    rates = {size: rates_of(running, size, mails_of(size, mails), runs) for size in sizes}
    heads = "".join(f"{size:>12,} B {'of direct':>10} {'CPU us':>8}" for size in sizes)
    print(f"{'':32}{heads}{'p50 ms':>9}{'p99 ms':>9}{'p50 beside 30 MB':>18}{'p95':>8}{'peak MiB':>10}")
    for each in running:
        cells = "".join(cell(rates[size], each.name) for size in sizes)
        alone = latencies(each.port, 500)
        with large_mails(each.port):
            beside = latencies(each.port, 500)
        print(f"{each.name:32}{cells}{percentile(alone, 50):>9.2f}{percentile(alone, 99):>9.2f}", end="")
        print(
            f"{percentile(beside, 50):>18.2f}{percentile(beside, 95):>8.2f}{peak_mib(each.process):>10.0f}", flush=True
        )


def mails_of(size: int, mails: int) -> int:
    """How many mails of that size a run has: fewer of large ones."""
    return max(200, mails * 1_000 // size) if size > 10_000 else mails


def cell(rates: Mapping[str, Sequence[Rate]], name: str) -> str:
    """The best run; the median of its share of what went directly in the same round, if anything did; its CPU."""
    best = max(rates[name], key=lambda rate: rate.mails_s)
    pairs = zip(rates[name], rates.get(DIRECT, ()), strict=False)
    shares = [rate.mails_s / direct.mails_s for rate, direct in pairs]
    share = f"{statistics.median(shares):.2f}" if shares else "-"
    return f"{best.mails_s:>14,.0f} {share:>10} {min(rate.cpu_us for rate in rates[name]):>8,.0f}"


# ---- what stands between


def direct(sink: int, _opened: ExitStack) -> tuple[int, int | None]:
    """Nothing: source and sink alone."""
    return sink, None


def ours(loop: str) -> Callable[[int, ExitStack], tuple[int, int | None]]:
    """Our relay as it is run, on that loop: with a rule, so that every mail is judged, and records."""

    def start(sink: int, opened: ExitStack) -> tuple[int, int | None]:
        port = free_port()
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        settings = Path(folder) / "sensor.toml"
        settings.write_text(
            '[organisation]\ninternal_domains = ["example.org"]\n[relay]\n'
            f'event_loop = "{loop}"\nmax_sessions_per_client = 1000\n'
            '[[inline.rule]]\naction = "reject"\ndestinations = ["nobody.invalid"]\n'
        )
        ends = "--listen", f"127.0.0.1:{port}", "--next-hop", f"127.0.0.1:{sink}"
        more = "--config", str(settings), "--events", str(Path(folder) / "records.jsonl"), "--quiet"
        return port, popen(opened, sys.executable, "-m", "sensor", "relay", *ends, *more)

    return start


def aiosmtpd(*uvloop: str) -> Callable[[int, ExitStack], tuple[int, int | None]]:
    """The relay above."""

    def start(sink: int, opened: ExitStack) -> tuple[int, int | None]:
        if find_spec("aiosmtplib") is None:
            raise RuntimeError("takes aiosmtplib")
        port = free_port()
        return port, popen(opened, sys.executable, "-c", _AIOSMTPD, str(port), str(sink), *uvloop)

    return start


def proxy_filter(sink: int, opened: ExitStack) -> tuple[int, int | None]:
    """Postfix that passes mail on before it queues it, with the sink for a filter."""
    if os.geteuid() != 0:
        raise RuntimeError("takes root")
    from tests.postfix import postfix

    port = free_port()
    settings = {"message_size_limit": "100000000", "smtpd_client_connection_count_limit": "0"}
    line = f"127.0.0.1:{port} inet n - n - 100 smtpd -o smtpd_proxy_filter=127.0.0.1:{sink} -o mynetworks=127.0.0.0/8"
    opened.enter_context(postfix(settings, line))
    return port, None


RELAYS = (
    Relay(DIRECT, direct),
    Relay("ours, uvloop", ours("uvloop")),
    Relay("ours, asyncio", ours("asyncio")),
    Relay("postfix smtpd_proxy_filter", proxy_filter),
    Relay("aiosmtpd + aiosmtplib", aiosmtpd()),
    Relay("aiosmtpd + aiosmtplib, uvloop", aiosmtpd("uvloop")),
)


# ---- sending


def rates_of(running: Sequence[Running], size: int, mails: int, runs: int) -> Mapping[str, Sequence[Rate]]:
    """Mails a second over connections that are kept, and what each cost the process in the middle, round by round."""
    rates: dict[str, list[Rate]] = {each.name: [] for each in running}
    for _ in range(runs):
        for each in running:
            cpu, began = cpu_s(each.timed), time.perf_counter()
            source(each.port, size, mails)
            took, cpu = time.perf_counter() - began, cpu_s(each.timed) - cpu
            rates[each.name].append(Rate(mails / took, cpu / mails * 1e6))
    return rates


def source(port: int, size: int, mails: int, *, sessions: int = SESSIONS) -> None:
    """Send mails over connections that are kept."""
    ends = "-f", "ann@example.org", "-t", "bob@corp.example", f"127.0.0.1:{port}"
    subprocess.run(["smtp-source", "-d", "-s", str(sessions), "-m", str(mails), "-l", str(size), *ends], check=True)


@contextmanager
def large_mails(port: int) -> Iterator[None]:
    """Four at a time pass, one after the other, until the end."""
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            source(port, LARGE, 8, sessions=4)

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(0.5)
    try:
        yield
    finally:
        over.set()
        thread.join()


def latencies(port: int, mails: int) -> list[float]:
    """Milliseconds from MAIL to the reply to the dot, 10 KB, one session."""
    content = b"Subject: small\r\n\r\n" + (b"x" * 78 + b"\r\n") * 125 + b".\r\n"
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        replies = client.makefile("rb")
        replies.readline()

        def ask(octets: bytes) -> None:
            client.sendall(octets)
            while replies.readline()[3:4] == b"-":
                pass

        ask(b"EHLO bench.example.org\r\n")
        took = []
        for _ in range(mails):
            began = time.perf_counter()
            for line in (b"MAIL FROM:<ann@example.org>\r\n", b"RCPT TO:<bob@corp.example>\r\n", b"DATA\r\n", content):
                ask(line)
            took.append((time.perf_counter() - began) * 1_000)
        return took


def percentile(values: list[float], share: int) -> float:
    """The value below which that share of a hundred lies."""
    return statistics.quantiles(values, n=100)[share - 1]


# ---- processes and ports


@contextmanager
def smtp_sink() -> Iterator[tuple[int, int]]:
    """A sink's port and process."""
    port = free_port()
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    process = subprocess.Popen(["smtp-sink", *user, "-4", "-m", "512", f"127.0.0.1:{port}", "1000"])
    try:
        until_open(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def popen(opened: ExitStack, *command: str) -> int:
    """Start a program that ends with *opened*; its process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILSENSOR_")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def end() -> None:
        process.send_signal(signal.SIGTERM)
        process.wait()

    opened.callback(end)
    return process.pid


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_open(port: int) -> None:
    """Wait until somebody greets there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port)) as client:
                if client.recv(3) == b"220":
                    return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody listens on port {port}")


def cpu_s(process: int) -> float:
    """Seconds of processor that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(process: int | None) -> float:
    """The most memory that a process had."""
    if process is None:
        return 0.0
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
