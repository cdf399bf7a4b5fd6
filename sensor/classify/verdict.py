"""
From matches to one verdict.

The steps: find the rows that match, weigh each by the rules of trust, name the look-alikes, leave out the rows they
speak against, and let the best of the rest say kind, level, evidence and mailbox. A weak hint alone never makes a
forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sensor.classify.artifacts import Table, load_table
from sensor.classify.blocked import blocked_attempt
from sensor.classify.context import Context, addressees
from sensor.classify.direction import Organisation, direction, sender_inside
from sensor.classify.lookalike import STILL_A_FORWARD, explanation_of_marks, look_alikes
from sensor.classify.road import related
from sensor.classify.text import domain_of, recipients
from sensor.classify.trust import Weighed, weigh
from sensor.classify.view import read_once
from sensor.classify.visible import visible_signs
from sensor.model import (
    Artifact,
    Direction,
    Evidence,
    Forwarding,
    Kind,
    Level,
    Transaction,
)

_RANK: dict[Evidence, int] = {"conclusive": 0, "strong": 1, "weak": 2}

NONE = Forwarding()
"""What ordinary mail gets: one object, shared."""

_NONE_BY_DIRECTION: dict[Direction, Forwarding] = {
    "unknown": NONE,
    "outbound": Forwarding(direction="outbound"),
    "inbound": Forwarding(direction="inbound"),
    "internal": Forwarding(direction="internal"),
    "transit": Forwarding(direction="transit"),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    A verdict with what led to it: every match weighed, the look-alikes shown, and the matches that counted.
    """

    forwarding: Forwarding
    weighed: tuple[Weighed, ...] = ()
    look_alikes: tuple[str, ...] = ()
    counted: tuple[Weighed, ...] = ()


@cache
def builtin_table() -> Table:
    """The artifact table as it is shipped."""
    return load_table()


def classify(transaction: Transaction, organisation: Organisation, table: Table | None = None) -> Forwarding:
    """What *transaction* shows of forwarding. Pure: the same mail gives the same verdict, live and in a replay."""
    if not transaction.touched:
        return _NONE_BY_DIRECTION[_direction_of_envelope(transaction, organisation)]
    return judge(transaction, organisation, table).forwarding


def judge(transaction: Transaction, organisation: Organisation, table: Table | None = None) -> Judgement:
    """The same verdict, with the reasons for it."""
    table = table or builtin_table()
    transaction = read_once(transaction)
    context = Context(
        transaction,
        organisation,
        table.matches(transaction),
        recipients(transaction.forward_paths),
        table.reply_prefixes,
    )
    weighed = weigh(context)
    return _judgement(context, weighed, look_alikes(context, weighed))


def _judgement(context: Context, weighed: Sequence[Weighed], alike: Sequence[str]) -> Judgement:
    standing = _standing(weighed, alike)
    named = _named_by_envelope(context)
    auto = _best_first([each for each in standing if each.match.row.kind == "auto"], named)
    mailbox = _mailbox(auto, context) if auto else None
    visible = _best_first(visible_signs(standing, mailbox), named)
    if not auto and visible:
        mailbox = visible[0].match.mailbox
    counted = tuple(each for each in (*auto, *visible))
    return Judgement(
        _forwarding(context, weighed, alike, auto, visible, mailbox),
        tuple(weighed),
        tuple(alike),
        counted,
    )


def _standing(weighed: Sequence[Weighed], alike: Sequence[str]) -> list[Weighed]:
    """What counts: no weak hint, nothing that a look-alike explains, nothing that leans on what fell."""
    firm = [
        each
        for each in weighed
        if each.evidence != "weak"
        and each.match.row.place not in ("report", "reply")
        and each.match.row.spoken_against_by.isdisjoint(alike)
    ]
    anchors = [each.match for each in firm if not each.leans_on]
    return [each for each in firm if not each.leans_on or any(match in anchors for match in each.leans_on)]


def _named_by_envelope(context: Context) -> frozenset[str]:
    """Mailboxes that the envelope names, in plain words or in a form that a forwarder writes."""
    told = {each.mailbox for each in context.matches if each.row.place in ("reverse_path", "recipient")}
    return frozenset(filter(None, (*told, (context.transaction.reverse_path or "").lower())))


def _forwarding(
    context: Context,
    weighed: Sequence[Weighed],
    alike: Sequence[str],
    auto: Sequence[Weighed],
    visible: Sequence[Weighed],
    mailbox: str | None,
) -> Forwarding:
    kind = _kind(bool(auto), bool(visible))
    if kind == "none":
        return _no_forward(context, weighed, alike)
    leading = auto or visible
    destinations = _destinations(auto, mailbox, context)
    return Forwarding(
        kind=kind,
        level=_level(leading),
        evidence=_evidence(leading, mailbox),
        mailbox=mailbox,
        destinations=destinations,
        direction=_direction_of_forward(context, mailbox, destinations),
        look_alike=_kept_look_alike(alike, context.organisation, mailbox),
        artifacts=_artifacts(weighed),
    )


def _no_forward(context: Context, weighed: Sequence[Weighed], alike: Sequence[str]) -> Forwarding:
    blocked = blocked_attempt(context, weighed)
    if blocked is not None:
        in_reply = blocked.evidence is not None
        return Forwarding(
            # Refused in a reply, the mail itself was the forward; a report only tells of one.
            kind="auto" if in_reply else "none",
            level="either" if in_reply else "unknown",
            evidence=blocked.evidence,
            mailbox=blocked.mailbox,
            destinations=blocked.destinations,
            direction=_direction_of_forward(context, blocked.mailbox if in_reply else None, blocked.destinations),
            look_alike=None if in_reply else (alike[0] if alike else None),
            artifacts=_artifacts(weighed),
        )
    explained = alike[0] if alike else explanation_of_marks(context, weighed)
    return Forwarding(
        direction=_direction_of_envelope(context.transaction, context.organisation),
        look_alike=explained,
        artifacts=_artifacts(weighed),
    )


def _kind(auto: bool, visible: bool) -> Kind:
    if auto:
        return "both" if visible else "auto"
    return "visible" if visible else "none"


def _best_first(weighed: Sequence[Weighed], named: frozenset[str]) -> list[Weighed]:
    """
    Sorted by evidence, then those first whose mailbox the envelope of now has *named*.

    Among equals the order stays, so that the envelope and then the topmost field speak first.
    """
    return sorted(weighed, key=lambda each: (_RANK[each.evidence], each.match.mailbox not in named))


def _level(leading: Sequence[Weighed]) -> Level:
    """The level that the best evidence agrees on; "either" where it says so or disagrees."""
    best = leading[0].evidence
    levels = {each.match.row.level for each in leading if each.evidence == best} - {"either"}
    return levels.pop() if len(levels) == 1 else "either"


def _evidence(leading: Sequence[Weighed], mailbox: str | None) -> Evidence:
    """
    Conclusive only if a marker itself names the mailbox: one that was worked out from addressees is one step further.
    """
    best = leading[0].evidence
    named = any(each.match.mailbox == mailbox for each in leading if each.evidence == "conclusive")
    return best if best != "conclusive" or (named and mailbox is not None) else "strong"


def _mailbox(auto: Sequence[Weighed], context: Context) -> str | None:
    """
    The mailbox that a marker names, else the addressee on the sending side to whom the mail first came.

    Where shapes alone carry the verdict they name whom the mail was written to. If that was a group, one of its members
    forwards, and the reverse-path of now, which no sender of before could write, names the member.
    """
    for each in auto:
        if each.match.mailbox is not None:
            member = _member_in_reverse_path(context) if each.match.row.place == "structure" else None
            return member or each.match.mailbox
    candidates = [address for address in addressees(context) if _on_our_side(address, context)]
    return candidates[0] if candidates else None


def _member_in_reverse_path(context: Context) -> str | None:
    """A mailbox of ours that the reverse-path names in a forwarder's form."""
    named = [each.mailbox for each in context.matches if each.row.place == "reverse_path" and each.mailbox]
    return next((mailbox for mailbox in named if context.organisation.owns(mailbox)), None)


def _on_our_side(address: str, context: Context) -> bool:
    transaction, domain = context.transaction, domain_of(address)
    if context.organisation.known and context.organisation.owns(address):
        return True
    return related(transaction.session.helo or "", domain) or related(domain_of(transaction.reverse_path or ""), domain)


def _destinations(auto: Sequence[Weighed], mailbox: str | None, context: Context) -> tuple[str, ...]:
    certain = [each.match for each in auto if not each.leans_on]
    drawn = [address for match in certain for address in match.destinations if address in context.recipients]
    return tuple(dict.fromkeys(drawn)) or tuple(
        address for address in dict.fromkeys(context.recipients) if address != mailbox
    )


def _direction_of_envelope(transaction: Transaction, organisation: Organisation) -> Direction:
    if not organisation.known:
        return "unknown"
    return direction(
        organisation,
        sender_inside=sender_inside(organisation, transaction),
        recipients=[path.address for path in transaction.forward_paths],
    )


def _direction_of_forward(context: Context, mailbox: str | None, destinations: Sequence[str]) -> Direction:
    if mailbox is None:
        return _direction_of_envelope(context.transaction, context.organisation)
    inside = context.organisation.owns(mailbox)
    return direction(context.organisation, sender_inside=inside, recipients=destinations)


def _kept_look_alike(alike: Sequence[str], organisation: Organisation, mailbox: str | None) -> str | None:
    for name in alike:
        if name in STILL_A_FORWARD:
            return name
    if mailbox is not None and organisation.known and not organisation.owns(mailbox):
        return "foreign_forward"
    return None


def _artifacts(weighed: Sequence[Weighed]) -> tuple[Artifact, ...]:
    return tuple(Artifact(slug=each.match.row.slug, field=each.match.field, value=each.match.value) for each in weighed)
