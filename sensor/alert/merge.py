"""Several findings that are one alert, as one finding: later episodes of a claim, or the same claim told again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from sensor.model import Confidence, Exhibit, Finding, Severity

SEVERITIES: tuple[Severity, ...] = ("informational", "low", "medium", "high", "critical")
CONFIDENCES: tuple[Confidence, ...] = ("low", "medium", "high")

MAX_NAMES = 256
"""Mailboxes and destinations that one alert names. A list longer than that is looked up, not read."""

EXHIBITS_AT_EACH_END = 8

# Counts that describe the mailbox, not the claim: what it received in some window, its past, the length of that.
# They move all the time, and nobody has to hear of it.
_CONTEXT = re.compile(r"\w+_\d+[hd]|days_known|most_\w+")

# Counts that are not sums over the claim's time: of distinct things, of a day. Those of two episodes overlap.
_SNAPSHOT = re.compile(r"mailboxes|destinations|domains|\w+_today")


def newer(held: Finding | None, told: Finding) -> Finding:
    """Of two tellings of one finding the one that says more: tellings may come out of order, counts only grow."""
    if held is None or (told.last_seen_ms, _volume(told)) >= (held.last_seen_ms, _volume(held)):
        return told
    return held


def merged(findings: Sequence[Finding]) -> Finding:
    """
    One finding that says what all of *findings* say, which are of one detector and subject and have different ids.

    What is measured and argued is that of the latest; counts add up, names unite, the gravest severity holds.
    """
    if len(findings) == 1:
        return findings[0]
    latest = max(findings, key=lambda each: (each.last_seen_ms, each.id))
    counts: dict[str, int] = {}
    for finding in findings:
        for name, count in finding.counts.items():
            if not adds_up(name):
                counts[name] = latest.counts.get(name, max(count, counts.get(name, 0)))
            else:
                counts[name] = counts.get(name, 0) + count
    in_order = sorted(findings, key=lambda each: (each.first_seen_ms, each.id))
    mailboxes = _united(each.mailboxes for each in in_order)
    destinations = _united(each.destinations for each in in_order)
    gaps = _united(each.gaps for each in in_order)
    all_paired = all(each.pairs for each in in_order)
    return msgspec.structs.replace(
        latest,
        id=in_order[0].id,
        mailboxes=mailboxes[:MAX_NAMES],
        destinations=destinations[:MAX_NAMES],
        first_seen_ms=in_order[0].first_seen_ms,
        last_seen_ms=latest.last_seen_ms,
        counts=counts,
        severity=max((each.severity for each in findings), key=SEVERITIES.index),
        exhibits=ends([exhibit for each in in_order for exhibit in each.exhibits]),
        assumptions=_united(each.assumptions for each in in_order),
        # Where one finding does not tell its pairs, those of all are not known.
        pairs=tuple(dict.fromkeys(pair for each in in_order for pair in each.pairs)) if all_paired else (),
        gaps=(*gaps, *_unnamed("mailboxes", mailboxes), *_unnamed("destinations", destinations)),
    )


def ends(exhibits: Iterable[Exhibit]) -> tuple[Exhibit, ...]:
    """The first and the latest exhibits, in order of time, each mail once."""
    in_order = sorted(exhibits, key=lambda each: (each.at_ms, each.transaction_id))
    once = list({each.transaction_id: each for each in in_order}.values())
    if len(once) <= 2 * EXHIBITS_AT_EACH_END:
        return tuple(once)
    return tuple(once[:EXHIBITS_AT_EACH_END] + once[-EXHIBITS_AT_EACH_END:])


def differs_materially(told: Finding, now: Finding) -> bool:
    """True if somebody who knows *told* has to hear of *now*: level, names, or a count twice what it was."""
    return (
        told.level != now.level
        or not set(now.destinations) <= set(told.destinations)
        or not set(now.mailboxes) <= set(told.mailboxes)
        or any(
            count >= 2 * told.counts.get(name, 0) and count > 0
            for name, count in now.counts.items()
            if not _CONTEXT.fullmatch(name)
        )
    )


def adds_up(name: str) -> bool:
    """True for a count that grows with the claim, so that those of two episodes are one number together."""
    return _CONTEXT.fullmatch(name) is None and _SNAPSHOT.fullmatch(name) is None


def _volume(finding: Finding) -> int:
    return sum(count for name, count in finding.counts.items() if adds_up(name))


def _united(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in lists for name in each))


def _unnamed(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence about names that do not fit, so that a list cut short never looks whole."""
    left_out = len(names) - MAX_NAMES
    return (f"{left_out} more {what} are not named here.",) if left_out > 0 else ()
