"""
The rules of trust: what a marker must stand before it counts as evidence.

The sender can write any field. So a marker is believed only where the envelope and the road of the mail agree with it:

1. its destination is a forward-path of this very transaction,
2. its mailbox belongs to the side that is sending now,
3. its sender had no hand on it: no hop from a foreign host stands above it, that is, came after it,
4. its mailbox is not the one that the mail goes to.

A row adds rules of its own (``requires``). What fails any of them is a weak hint, whatever the row says it proves.

Some servers put their fields at the foot of the header section (Exchange, Exim's transports): there the order cannot
tell theirs from the sender's. Such a marker leans on evidence that its sender could not write and that names the same
mailbox: it may say more about that forward, its level and who it was, and never makes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sensor.classify.artifacts import Match
from sensor.classify.context import Context
from sensor.classify.rules import LEANS, REACH, RULES
from sensor.model import Evidence


@dataclass(frozen=True, slots=True)
class Weighed:
    """
    A match with what it proves, and the names of the rules it was held against: passed, failed.

    Where *leans_on* holds matches, it counts only together with one of them.
    """

    match: Match
    evidence: Evidence
    failed: tuple[str, ...]
    passed: tuple[str, ...] = ()
    leans_on: tuple[Match, ...] = ()


def weigh(context: Context) -> list[Weighed]:
    """Each match with the evidence it is worth here."""
    weighed = [_weighed_alone(match, context) for match in context.matches]
    anchors = [each.match for each in weighed if each.evidence != "weak"]
    if not anchors:
        return weighed
    return [_leaning(each, anchors) if each.failed == (REACH,) else each for each in weighed]


def _weighed_alone(match: Match, context: Context) -> Weighed:
    names = (*_common_rules(match), *match.row.requires)
    failed = tuple(name for name in names if not RULES[name].holds(match, context))
    passed = tuple(name for name in names if name not in failed)
    return Weighed(match, "weak" if failed else match.row.evidence, failed, passed)


def _leaning(weighed: Weighed, anchors: Sequence[Match]) -> Weighed:
    """A marker at the foot of the header section counts with evidence from elsewhere for the same mailbox."""
    match = weighed.match
    same = tuple(
        each
        for each in anchors
        if each.row.kind == match.row.kind and (match.mailbox is None or each.mailbox == match.mailbox)
    )
    if match.row.prepended or match.row.evidence == "weak" or not same:
        return weighed
    return Weighed(match, match.row.evidence, (), (*weighed.passed, LEANS), same)


def _common_rules(match: Match) -> Iterator[str]:
    """The rules that every marker is held against, as far as it names what they ask about."""
    if match.destinations:
        yield "destination_is_recipient"
    if match.mailbox is not None:
        yield "mailbox_on_sending_side"
    if match.row.place == "field" or match.received_above is not None:
        if match.row.kind == "auto" and match.mailbox is None:
            yield "forwarder_is_sending"
        yield REACH
    if match.mailbox is not None and match.row.kind == "auto":
        yield "mailbox_is_not_recipient"
        if match.row.place == "field" and "forward_shape" not in match.row.requires:
            yield "anothers_mail"
