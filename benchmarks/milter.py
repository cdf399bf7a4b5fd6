"""
What a milter costs behind a real Postfix: ours over UNIX and TCP sockets, beside rspamd, opendkim and none at all.

    python -m benchmarks.milter --mails 1000

Takes root and Postfix (Debian: postfix); rspamd and opendkim are measured where they are installed. Each round takes
every milter in turn, and the best of its rounds is told: mails a second over four sessions kept open (smtp-source,
10 KB), CPU of the milter a mail, and the median time of a whole mail in one session. Postfix throws the mails away.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.postfix import Postfix, postfix
from tests.service import free_port

MAIL_OCTETS = 10_240
SESSIONS = 4
LATENCY_MAILS = 200
# rspamd compiles its patterns first.
START_S = 240.0

SETTINGS = """\
[organisation]
internal_domains = ["corp.example"]
[milter]
socket_access = "everybody"
[[inline.rule]]
action = "tag"
kind = "none"
"""
RSPAMD = """\
.include "$CONFDIR/common.conf"
options {{ pidfile = "{folder}/pid"; .include "$CONFDIR/options.inc" }}
logging {{ type = "file"; filename = "{folder}/log"; level = "error"; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{port}";
  milter = yes;
  count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""
OPENDKIM = """\
Domain corp.example
Selector bench
KeyFile {folder}/key
Socket inet:{port}@127.0.0.1
Mode s
RequireSafeKeys no
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A milter that runs: its address as Postfix writes it ("" for none), and its processes."""

    address: str
    pids: Callable[[], list[int]]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one milter in one round."""

    mails_s: float
    cpu_us: float
    median_ms: float


Contender = Callable[[Path], AbstractContextManager[Running]]


@contextmanager
def nobody(folder: Path) -> Iterator[Running]:
    """No milter at all."""
    yield Running("", list)


def ours(listen: str, *, body: str = "all", tags: bool = True) -> Contender:
    """The sensor, with classification, ledger, detectors and records."""

    @contextmanager
    def run(folder: Path) -> Iterator[Running]:
        settings = SETTINGS if tags else SETTINGS.partition("[[")[0]
        settings = settings.replace("[milter]", f'[milter]\nbody = "{body}"')
        (folder / "sensor.toml").write_text(settings)
        address = listen.format(folder=folder, port=free_port())
        command = [sys.executable, "-m", "sensor", "milter", "--quiet", "--listen", address]
        command += ["--config", str(folder / "sensor.toml"), "--events", str(folder / "events.jsonl")]
        with _running(command, address) as running:
            yield running

    return run


@contextmanager
def rspamd(folder: Path) -> Iterator[Running]:
    """One that filters: rspamd, scanning in its proxy, without a network to ask."""
    port = free_port()
    (folder / "rspamd.conf").write_text(RSPAMD.format(folder=folder, port=port))
    shutil.chown(folder, "_rspamd")
    command = ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", str(folder / "rspamd.conf")]
    with _running(command, f"inet:127.0.0.1:{port}") as running:
        yield running


@contextmanager
def opendkim(folder: Path) -> Iterator[Running]:
    """One that signs: opendkim."""
    port = free_port()
    subprocess.run(
        ["openssl", "genrsa", "-traditional", "-out", str(folder / "key"), "2048"], check=True, capture_output=True
    )
    (folder / "opendkim.conf").write_text(OPENDKIM.format(folder=folder, port=port))
    with _running(["opendkim", "-f", "-x", str(folder / "opendkim.conf")], f"inet:127.0.0.1:{port}") as running:
        yield running


CONTENDERS: dict[str, Contender] = {
    "no milter": nobody,
    "ours, unix": ours("unix:{folder}/milter.sock"),
    "ours, inet": ours("inet:127.0.0.1:{port}"),
    "ours, unix, header alone": ours("unix:{folder}/milter.sock", body="none"),
    "rspamd, inet": rspamd,
    "opendkim, inet": opendkim,
}


@contextmanager
def _running(command: list[str], address: str) -> Iterator[Running]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(lambda: _is_listening(address))
        yield Running(address, lambda: _family(process.pid))
    finally:
        process.terminate()
        process.wait(20)


def _await(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + START_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("a milter does not listen")
        time.sleep(0.05)


def _is_listening(address: str) -> bool:
    kind, _, where = address.partition(":")
    if kind == "unix":
        return Path(where).exists()
    port = f"{int(where.rpartition(':')[2]):04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return any(line.split()[1].endswith(f":{port}") and line.split()[3] == "0A" for line in lines[1:])


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu_s(pids: list[int]) -> float:
    """User and system time of those processes so far, that of threads which have ended included."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(mta: Postfix, running: Running, mails: int) -> Figures:
    """Ask *mta* to use it, send, and look."""
    command = ["postconf", "-c", str(mta.folder / "etc"), "-e", f"smtpd_milters={running.address}"]
    subprocess.run(command, check=True)
    mta.run("reload")
    time.sleep(0.3)
    source = ["smtp-source", "-d", "-s", str(SESSIONS), "-l", str(MAIL_OCTETS), "-f", "a@corp.example"]
    source += ["-t", "b@partner.example"]
    subprocess.run([*source, "-m", "50", f"127.0.0.1:{mta.port}"], check=True)
    pids = running.pids()
    before, began = _cpu_s(pids), time.monotonic()
    subprocess.run([*source, "-m", str(mails), f"127.0.0.1:{mta.port}"], check=True)
    took, spent = time.monotonic() - began, _cpu_s(pids) - before
    return Figures(mails / took, spent / mails * 1e6, 1e3 * statistics.median(_latencies(mta)))


def _latencies(mta: Postfix) -> list[float]:
    mail = b"From: a@corp.example\r\nSubject: bench\r\n\r\n" + (b"x" * 70 + b"\r\n") * (MAIL_OCTETS // 72)
    taken = []
    with mta.client() as client:
        for _ in range(LATENCY_MAILS):
            began = time.monotonic()
            client.sendmail("a@corp.example", ["b@partner.example"], mail)
            taken.append(time.monotonic() - began)
    return taken


def _made(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", action="append", choices=[*CONTENDERS], help="Repeatable. By default all.")
    options = parser.parse_args()
    programs = {"rspamd, inet": "rspamd", "opendkim, inet": "opendkim"}
    wanted = [name for name in CONTENDERS if not options.only or name in options.only]
    names = [name for name in wanted if name not in programs or shutil.which(programs[name])]
    found: dict[str, list[Figures]] = {name: [] for name in names}
    with TemporaryDirectory(prefix="mailsensor-bench-") as folder:
        here = Path(folder)
        here.chmod(0o755)
        settings = {"virtual_transport": "discard:", "virtual_mailbox_domains": "partner.example"}
        with postfix(settings) as mta, ExitStack() as opened:
            running = {
                name: opened.enter_context(CONTENDERS[name](_made(here / str(n)))) for n, name in enumerate(names)
            }
            for _ in range(options.rounds):
                for name in names:
                    found[name].append(measure(mta, running[name], options.mails))
    print(f"{'':26}{'mails/s':>9}{'CPU us/mail':>13}{'median ms':>11}{'added ms':>10}")
    least = min(each.median_ms for each in found[names[0]])
    for name, rounds in found.items():
        rate, cpu = max(each.mails_s for each in rounds), min(each.cpu_us for each in rounds)
        median = min(each.median_ms for each in rounds)
        print(f"{name:26}{rate:9,.0f}{cpu:13,.0f}{median:11.2f}{median - least:10.2f}")


if __name__ == "__main__":
    main()
