"""
Measures what detectors find in simulated mail, how soon, and what they tell for nothing, beside today's rules.

    python -m benchmarks.detection --mailboxes 2000 --days 28 --seeds 1..5

Each seed is an organisation, its mail and its intruders. The same options give the same numbers. README.md says what
is in it, where each assumption is from, and what was reached.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.detection.alarms import Alarm
from benchmarks.detection.baselines import BASELINES
from benchmarks.detection.chance import START_MS
from benchmarks.detection.desk import OURS, Desk, Minute, keep, kept, minutes_of
from benchmarks.detection.intruders import KINDS, Case, placed_intruders
from benchmarks.detection.mails import date_of
from benchmarks.detection.organisation import drawn_organisation
from benchmarks.detection.score import Run, Scorer, Summary, summary
from benchmarks.detection.traffic import Traffic, Wire

BASELINE_NAMES = tuple(each.name for each in BASELINES)


def run(seed: int, mailboxes: int, days: int, wire: Wire, folder: Path | None = None, each: int | None = None) -> Run:
    """
    One seed from its mail to its score.

    With *folder*, what the pipeline tells is kept there, and taken from there the next time: for trying detectors, and
    wrong once pipeline or simulation have changed.
    """
    started = time.perf_counter()
    organisation = drawn_organisation(seed, mailboxes, days)
    cases = placed_intruders(seed, organisation, days, each)
    traffic = Traffic(organisation, cases, seed, days, wire)
    scorer, desk = Scorer(cases, organisation.legitimate), Desk(organisation.allowed)
    name = f"{seed}-{mailboxes}-{days}-{wire.blind}-{wire.twice}-{each}"
    for alarm in desk.alarms(_minutes(traffic, cases, folder, name)):
        scorer.take(alarm, *(() if alarm.source in BASELINE_NAMES else (OURS,)))
    forwarded = [case for case in cases if case.copies]
    scores = scorer.scores()
    return Run(
        seed=seed,
        mailbox_days=mailboxes * days,
        kinds=Counter(case.kind for case in forwarded),
        missed={name: [case for case in forwarded if case.number not in score.found] for name, score in scores.items()},
        scores=scores,
        mails=sum(traffic.written.values()),
        seconds=time.perf_counter() - started,
    )


def _minutes(traffic: Traffic, cases: Sequence[Case], folder: Path | None, name: str) -> Iterator[Minute]:
    if folder is None:
        yield from minutes_of(traffic)
        return
    events, truth = folder / f"{name}.events", folder / f"{name}.truth.json"
    if not truth.exists():
        folder.mkdir(parents=True, exist_ok=True)
        yield from keep(minutes_of(traffic), events)
        truth.write_text(json.dumps([case.copies for case in cases]), encoding="utf-8")
        return
    for case, copies in zip(cases, json.loads(truth.read_text(encoding="utf-8")), strict=True):
        case.copies[:] = copies
    yield from kept(events)


# ---- tables


def print_tables(runs: Sequence[Run]) -> None:
    """Everything that a reader of the results wants to compare."""
    sources = sorted({source for each in runs for source in each.scores} - {OURS, *BASELINE_NAMES})
    print(f"\nIntruders, by kind ({OURS}; medians count a missed case as never found)")
    print(f"{'kind':38} {'found':>9} {'recall, 95 %':>18} {'copies':>8} {'p90':>6} {'hours':>8} {'p90':>7}")
    for kind in (*KINDS, None):
        print(_kind_row(kind or "all", summary(runs, OURS, kind)))
    print("\nDetectors and today's rules (alarms for 10,000 mailbox-days, 95 % over seeds)")
    print(
        f"{'source':38} {'recall, 95 %':>18} {'copies':>8} {'p90':>6} {'intruder':>9} {'misnamed':>9}"
        f" {'not yet allowed':>16} {'false':>22}"
    )
    for source in (OURS, *sources, *BASELINE_NAMES):
        print(_source_row(source, summary(runs, source)))


def _kind_row(name: str, told: Summary) -> str:
    return (
        f"{name:38} {told.found:>4}/{told.cases:<4} {_recall(told):>18} {_number(told.copies_median):>8}"
        f" {_number(told.copies_p90):>6} {_number(told.hours_median, 1):>8} {_number(told.hours_p90, 1):>7}"
    )


def _source_row(name: str, told: Summary) -> str:
    centre, low, high = told.false_rate
    return (
        f"{name:38} {_recall(told):>18} {_number(told.copies_median):>8} {_number(told.copies_p90):>6}"
        f" {told.true_rate[0]:>9.2f} {told.misnamed_rate[0]:>9.2f} {told.open_rate[0]:>16.2f}"
        f" {f'{centre:.2f} ({max(0.0, low):.2f}-{high:.2f})':>22}"
    )


def _recall(told: Summary) -> str:
    if not told.cases:
        return "-"
    return f"{told.found / told.cases:.1%} ({told.recall[0]:.0%}-{told.recall[1]:.0%})"


def _number(value: float | None, digits: int = 0) -> str:
    return "never" if value is None else f"{value:.{digits}f}"


def print_details(runs: Sequence[Run]) -> None:
    """Each case that was missed and each false alarm, for whoever tunes."""
    for each in runs:
        for case in each.missed.get(OURS, []):
            print(f"seed {each.seed}: missed {_case_line(case)}")
        for alarm in each.scores[OURS].false_alarms if OURS in each.scores else ():
            print(f"seed {each.seed}: false {_alarm_line(alarm)}")


def _case_line(case: Case) -> str:
    first, last = (date_of(case.copies[at]) for at in (0, -1))
    return f"{case.kind}: {len(case.copies)} copies from {first} to {last}, {', '.join(case.mailboxes)}"


def _alarm_line(alarm: Alarm) -> str:
    names = ", ".join(sorted(alarm.mailboxes)[:3])
    return f"{alarm.source} ({alarm.severity}) on {date_of(alarm.at_ms)}, {names}: {alarm.said}"


def as_json(runs: Sequence[Run]) -> dict[str, object]:
    """The same as data: for each source, in all and by kind."""
    sources = sorted({source for each in runs for source in each.scores})
    return {
        "seeds": [each.seed for each in runs],
        "mailbox_days": sum(each.mailbox_days for each in runs),
        "mails": sum(each.mails for each in runs),
        "sources": {
            source: {
                "all": asdict(summary(runs, source)),
                "kinds": {kind: asdict(summary(runs, source, kind)) for kind in KINDS},
            }
            for source in sources
        },
    }


# ---- the command line


def seeds_of(text: str) -> list[int]:
    """Seeds from ``3``, ``1..5`` or ``1,4,7``."""
    bounds = re.fullmatch(r"(\d+)\.\.(\d+)", text)
    if bounds:
        return list(range(int(bounds[1]), int(bounds[2]) + 1))
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}": write seeds as 3, 1..5 or 1,4,7') from None


def _runs(options: argparse.Namespace) -> Iterator[Run]:
    wire = Wire(blind=options.blind, twice=options.twice)
    folder = Path(options.keep) if options.keep else None
    jobs = [(seed, options.mailboxes, options.days, wire, folder, options.cases) for seed in options.seeds]
    if options.jobs == 1:
        yield from (run(*job) for job in jobs)
        return
    with ProcessPoolExecutor(options.jobs) as pool:
        yield from pool.map(run, *zip(*jobs, strict=True))


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=(__doc__ or "").splitlines()[1])
    parser.add_argument("--mailboxes", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--seeds", type=seeds_of, default=[1], help="3, 1..5 or 1,4,7 (default 1)")
    parser.add_argument("--cases", type=int, help="intruders of each kind (default 3 for 2,000 mailboxes)")
    parser.add_argument("--blind", type=float, default=Wire().blind, help="share of hops that speak TLS")
    parser.add_argument("--twice", type=float, default=Wire().twice, help="share of mails that pass two gateways")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time")
    parser.add_argument("--details", action="store_true", help="tell each missed case and each false alarm")
    parser.add_argument(
        "--keep", metavar="FOLDER", help="keep what the pipeline tells, and go on from it the next time"
    )
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON too")
    options = parser.parse_args()
    start = date_of(START_MS)
    print(f"{options.mailboxes} mailboxes, {options.days} days from {start}, {options.blind:.0%} of hops blind")
    runs: list[Run] = []
    for each in _runs(options):
        runs.append(each)
        found = len(each.scores[OURS].found) if OURS in each.scores else 0
        print(
            f"seed {each.seed}: {each.mails:,} mails in {each.seconds:.0f} s, {found} of {sum(each.kinds.values())}"
            f" intruders found",
            file=sys.stderr,
            flush=True,
        )
    print_tables(runs)
    if options.details:
        print_details(runs)
    if options.json:
        Path(options.json).write_text(json.dumps(as_json(runs), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
