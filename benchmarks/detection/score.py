"""
Alarms against the truth: what was found, how soon, and what was told for nothing.

An alarm is *true* if it names a mailbox of an intruder's and, where it names destinations, his drop, after his first
copy left. One that names drops alone and another mailbox, such as the role address that a stolen mail was written to,
is *misnamed*: it leads to the drop, and finds nobody. It is about something *legitimate, not yet allowed* if it is
about a forward by a rule that is no intruder's and that nobody entered in the allow-list: by policy a finding, but no
intruder. All others are *false*, alarms about allowed forwards included. An alarm that is told again because it grew
counts once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from statistics import mean, stdev

from benchmarks.detection.alarms import Alarm
from benchmarks.detection.intruders import Case
from benchmarks.detection.organisation import Legitimate
from sensor.intervals import jeffreys

HOUR_MS = 3_600_000
# Two-sided 95 % points of Student's t by degrees of freedom; beyond the last, the normal's will do.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10,
            2.09, 2.09)  # fmt: skip


@dataclass(slots=True)
class Found:
    """The first true alarm of a case: copies that had left by then, and hours since the first of them."""

    kind: str
    copies: int
    hours: float
    source: str


@dataclass(slots=True)
class SourceScore:
    """What one detector or rule, or all detectors together, came to in one run."""

    found: dict[int, Found] = field(default_factory=dict)
    true: int = 0
    misnamed: int = 0
    not_yet_allowed: int = 0
    false: int = 0
    false_alarms: list[Alarm] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """One seed's outcome. ``kinds`` counts the cases of each kind that forwarded anything: those that can be found."""

    seed: int
    mailbox_days: int
    kinds: Counter[str]
    missed: dict[str, list[Case]]
    scores: dict[str, SourceScore]
    mails: int = 0
    seconds: float = 0.0


class Scorer:
    """Holds alarms against the truth of one run."""

    def __init__(self, cases: Sequence[Case], legitimate: Sequence[Legitimate]) -> None:
        self._by_mailbox: defaultdict[str, list[Case]] = defaultdict(list)
        for case in cases:
            for mailbox in case.mailboxes:
                self._by_mailbox[mailbox].append(case)
        self._by_drop: defaultdict[str, list[Case]] = defaultdict(list)
        for case in cases:
            for drop in case.drops:
                self._by_drop[drop].append(case)
        self._open = {(each.mailbox, each.destination) for each in legitimate if not each.is_allowed}
        self._scores: defaultdict[str, SourceScore] = defaultdict(SourceScore)

    def take(self, alarm: Alarm, *groups: str) -> None:
        """Count *alarm* for its source and for each of *groups*."""
        case = self._case_of(alarm)
        for name in (alarm.source, *groups):
            score = self._scores[name]
            if case is not None:
                score.true += alarm.is_first
                if case.number not in score.found:
                    copies = sum(at_ms <= alarm.at_ms for at_ms in case.copies)
                    hours = (alarm.at_ms - case.copies[0]) / HOUR_MS
                    score.found[case.number] = Found(case.kind, copies, hours, alarm.source)
            elif self._names_drops_alone(alarm):
                score.misnamed += alarm.is_first
            elif self._is_open(alarm):
                score.not_yet_allowed += alarm.is_first
            elif alarm.is_first:
                score.false += 1
                score.false_alarms.append(alarm)

    def scores(self) -> dict[str, SourceScore]:
        """By source."""
        return dict(self._scores)

    def _case_of(self, alarm: Alarm) -> Case | None:
        if not alarm.mailboxes:
            candidates = [case for drop in alarm.destinations for case in self._by_drop.get(drop, ())]
        else:
            candidates = [case for mailbox in alarm.mailboxes for case in self._by_mailbox.get(mailbox, ())]
        for case in candidates:
            started = case.copies and case.copies[0] <= alarm.at_ms
            if started and (not alarm.destinations or _names_any(alarm.destinations, case.drops)):
                return case
        return None

    def _names_drops_alone(self, alarm: Alarm) -> bool:
        cases = [self._by_drop.get(destination, []) for destination in alarm.destinations]
        return bool(cases) and all(
            any(case.copies and case.copies[0] <= alarm.at_ms for case in of_drop) for of_drop in cases
        )

    def _is_open(self, alarm: Alarm) -> bool:
        return any(
            mailbox in alarm.mailboxes and (not alarm.destinations or _names_any(alarm.destinations, (destination,)))
            for mailbox, destination in self._open
        )


def _names_any(named: frozenset[str], addresses: Sequence[str]) -> bool:
    """True if one of *addresses*, or its domain, is among what an alarm names."""
    return any(address in named or address.rpartition("@")[2] in named for address in addresses)


# ---- over seeds


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Mean over seeds with its 95 % interval by Student's t; of one seed, the point alone."""
    numbers = list(values)
    centre = mean(numbers)
    if len(numbers) < 2:
        return centre, centre, centre
    reach = _STUDENT[min(len(numbers) - 2, len(_STUDENT) - 1)] * stdev(numbers) / len(numbers) ** 0.5
    return centre, centre - reach, centre + reach


@dataclass(slots=True)
class Summary:
    """
    One source over all seeds; recall pooled with its Jeffreys interval, rates over seeds with Student's t.

    Medians and ninth tenths are over all cases: one that was missed was found after infinitely many copies (none).
    """

    found: int
    cases: int
    recall: tuple[float, float]
    recall_by_seed: tuple[float, float, float]
    copies_median: float | None
    copies_p90: float | None
    hours_median: float | None
    hours_p90: float | None
    true_rate: tuple[float, float, float]
    misnamed_rate: tuple[float, float, float]
    open_rate: tuple[float, float, float]
    false_rate: tuple[float, float, float]


def summary(runs: Sequence[Run], source: str, kind: str | None = None) -> Summary:
    """What *source* came to over *runs*, for one kind of intruder or for all."""
    found, cases, recalls = [], 0, []
    for run in runs:
        score = run.scores.get(source, SourceScore())
        of_kind = [each for each in score.found.values() if kind in (None, each.kind)]
        there = sum(run.kinds.values()) if kind is None else run.kinds[kind]
        found += of_kind
        cases += there
        if there:
            recalls.append(len(of_kind) / there)
    never = [inf] * (cases - len(found))
    copies, hours = sorted(each.copies for each in found) + never, sorted(each.hours for each in found) + never
    return Summary(
        found=len(found),
        cases=cases,
        recall=jeffreys(len(found), cases) if cases else (0.0, 1.0),
        recall_by_seed=spread(recalls or [0.0]),
        copies_median=_quantile(copies, 0.5),
        copies_p90=_quantile(copies, 0.9),
        hours_median=_quantile(hours, 0.5),
        hours_p90=_quantile(hours, 0.9),
        true_rate=_rate(runs, source, "true"),
        misnamed_rate=_rate(runs, source, "misnamed"),
        open_rate=_rate(runs, source, "not_yet_allowed"),
        false_rate=_rate(runs, source, "false"),
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that *share* of all do not exceed."""
    if not ordered:
        return None
    value = ordered[max(0, ceil(len(ordered) * share) - 1)]
    return None if value == inf else value


def _rate(runs: Sequence[Run], source: str, what: str) -> tuple[float, float, float]:
    """Alarms for 10,000 mailbox-days."""
    return spread(getattr(run.scores.get(source, SourceScore()), what) / run.mailbox_days * 10_000 for run in runs)
