"""
What the ledger costs: mails a second, and octets for each kind of mailbox.

    python -m benchmarks.ledger                        # all, some minutes
    python -m benchmarks.ledger rate                   # mails a second at three paces
    python -m benchmarks.ledger memory                 # octets of an idle, an ordinary, a busy and a forwarding mailbox
    python -m benchmarks.ledger million [--mails N]    # a million mailboxes: rate and resident memory
    python -m benchmarks.ledger --plain ...            # the same with ordinary mail counted in Python, not in the core

A mail has one sender and one recipient, drawn at random. Times are of the processor, in pieces of 50,000 mails: the
fastest piece is what the machine can do, the median what it did beside whatever else ran.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from sensor.ledger import Ledger
from sensor.taps.capture import core_traffic

BEGIN_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PIECE = 50_000

# Mailboxes, mails a second of packet time, mails. From every mail opening slots of its own to hardly any doing so.
PACES = (
    ("quiet: a mail each 3 hours", 10_000, 2, 1_000_000),
    ("office: 100 a working day", 10_000, 25, 2_000_000),
    ("full rate of a large site", 100_000, 200_000, 3_000_000),
)

Mail = tuple[str, list[str], int, int, int]
MakesLedger = Callable[[dict[str, int]], Ledger]


class Seen:
    """A forward as the ledger takes it."""

    level, evidence, cell = "user", "strong", "auto_only"

    def __init__(self, mailbox: str, at_ms: int, destination: str) -> None:
        self.mailbox, self.at_ms, self.octets = mailbox, at_ms, 4_000
        self.destinations = self.outside = (destination,)


def mails(names: list[str], a_second: float) -> Iterator[Mail]:
    """Mails between *names*, so many a second of packet time, without end."""
    chance, at_ms = random.Random(1), float(BEGIN_MS)
    while True:
        at_ms += 1_000 / a_second
        yield (
            chance.choice(names),
            [chance.choice(names)],
            int(at_ms),
            chance.randrange(100_000),
            chance.getrandbits(64),
        )


def count(ledger: Ledger, source: Iterator[Mail], number: int) -> list[float]:
    """Seconds for each piece of the mails counted."""
    seconds = []
    for _ in range(number // PIECE):
        piece = list(islice(source, PIECE))
        started = time.process_time()
        for sender, recipients, at_ms, octets, message in piece:
            ledger.count_mail(sender, recipients, at_ms, octets, message)
        seconds.append(time.process_time() - started)
    return seconds


def told(seconds: list[float]) -> str:
    """The fastest and the median piece, as mails a second."""
    ordered = sorted(seconds)
    return f"{PIECE / ordered[0]:12,.0f} {PIECE / ordered[len(ordered) // 2]:12,.0f}"


def rate(ledger_of: MakesLedger) -> None:
    """Mails a second at each pace, once all mailboxes have accounts: of the second half."""
    print(f"{'pace':34} {'mailboxes':>10} {'fastest/s':>12} {'median/s':>12}")
    for name, mailboxes, a_second, number in PACES:
        names = [f"user{each}.name@corp.example" for each in range(mailboxes)]
        seconds = count(ledger_of({}), mails(names, a_second), number)
        print(f"{name:34} {mailboxes:10,} {told(seconds[len(seconds) // 2 :])}", flush=True)


def memory(ledger_of: MakesLedger) -> None:
    """Octets of a mailbox of each kind, its address and its place in the ledger's tables included, as resident."""
    kinds = (
        ("idle: one mail ever", 100_000, lambda day: day == 0, 1, 0, 1),
        ("ordinary: 20 in, 10 out a day", 5_000, lambda day: day % 7 < 5, 30, 0, 1),
        ("busy: each five minutes, all day", 1_000, lambda day: True, 288, 0, 1),
        ("forwards 20 a day to one address", 1_000, lambda day: day % 7 < 5, 30, 20, 1),
        ("forwards to 200 addresses", 200, lambda day: True, 30, 20, 200),
    )
    print(f"{'mailbox, after 15 days':34} {'octets':>10} {'blob':>10}")
    # All stay, so that none is made in memory that another gave back.
    ledgers = []
    for name, mailboxes, works, a_day, forwards, addresses in kinds:
        gc.collect()
        before = resident()
        ledgers.append(ledger := ledger_of({"ledger_mailboxes": 4 * mailboxes}))
        for number in range(mailboxes):
            live(ledger, f"user{number}.name@corp.example", [day for day in range(15) if works(day)], a_day)
            forward(ledger, f"user{number}.name@corp.example", forwards, addresses)
        gc.collect()
        used = resident() - before
        blobs = sum(len(blob) for _, blob in ledger.changed())
        print(f"{name:34} {used / mailboxes:10,.0f} {blobs / mailboxes:10,.0f}", flush=True)


def resident() -> int:
    """Octets of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def live(ledger: Ledger, mailbox: str, days: list[int], a_day: int) -> None:
    """Two mails in and one out, over and over: all round the clock where there are many, else in working hours."""
    chance = random.Random(mailbox)
    for day in days:
        for number in range(a_day):
            hours = 24 * number / a_day if a_day > 100 else 8 + 9 * chance.random()
            at_ms = BEGIN_MS + day * DAY_MS + int(hours * HOUR_MS)
            if number % 3 == 2 or a_day > 100:
                ledger.count_mail(mailbox, (), at_ms, 30_000)
            if number % 3 != 2:
                ledger.count_mail(None, (mailbox,), at_ms, 30_000)


def forward(ledger: Ledger, mailbox: str, a_day: int, addresses: int) -> None:
    """Forwards of the last fifteen days, in turn to each of so many addresses."""
    for number in range(15 * a_day):
        at_ms = BEGIN_MS + int(number / a_day * DAY_MS)
        seen = Seen(mailbox, at_ms, f"drop{number % addresses}@host{number % addresses}.example")
        ledger.count_forward(seen, message_id=None, slugs=("google_caf",))


def million(ledger_of: MakesLedger, number: int) -> None:
    """A million mailboxes over a week: each mail to and from any of them."""
    names = [f"user{each}.name@corp.example" for each in range(1_000_000)]
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ledger = ledger_of({"ledger_mailboxes": 2_000_000})
    seconds = count(ledger, mails(names, number / (7 * 86_400)), number)
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(
        f"{len(ledger):,} mailboxes, {number:,} mails in 7 days: {used / 2**30:.2f} GiB beside their addresses' texts, "
    )
    print(f"{used / len(ledger):,.0f} octets each; fastest, median mails/s: {told(seconds)}")
    started = time.process_time()
    for _ in range(100):
        ledger.population(BEGIN_MS + 7 * DAY_MS)
    print(f"population: {(time.process_time() - started) * 1e4:.1f} us", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the ledger costs.")
    parser.add_argument("what", nargs="*", choices=("rate", "memory", "million"), metavar="rate|memory|million")
    parser.add_argument("--mails", type=int, default=20_000_000, help="for a million mailboxes (default 20 million)")
    parser.add_argument("--plain", action="store_true", help="count ordinary mail in Python")
    options = parser.parse_args()

    def ledger_of(limits: dict[str, int]) -> Ledger:
        return Ledger(limits=limits) if options.plain else Ledger(limits=limits, traffic=core_traffic())

    for what in options.what or ("rate", "memory", "million"):
        if what == "million":
            million(ledger_of, options.mails)
        else:
            {"rate": rate, "memory": memory}[what](ledger_of)


if __name__ == "__main__":
    main()
