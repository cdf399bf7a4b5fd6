"""
Attempts to forward that somebody on the way refused: somebody tried, and that is worth knowing by itself.

A next hop says it in its reply to the copy, or a server in a delivery report to the sender of the mail (MS-FWD). The
copy's mailbox is whom its own marks name; a report's is the address in it that belongs to the side that refused.

Exchange Online's words are its own. What administrators write into rules of theirs may also stand in a reply to other
mail, so it counts only where the refused mail bears a mark of a forward that names a mailbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sensor.classify.context import Context, addressees
from sensor.classify.road import related
from sensor.classify.text import domain_of
from sensor.classify.trust import Weighed
from sensor.model import Evidence

_DAEMONS = ("postmaster", "mailer-daemon", "microsoftexchange", "noreply", "no-reply")


@dataclass(frozen=True, slots=True)
class Blocked:
    """The mailbox that tried, where the copy would have gone, and what proves it where the copy itself was refused."""

    mailbox: str | None
    destinations: tuple[str, ...]
    evidence: Evidence | None = None


def blocked_attempt(context: Context, weighed: Sequence[Weighed]) -> Blocked | None:
    """The attempt that the mail tells of, if it tells of one."""
    replies = [each.match.row for each in weighed if each.match.row.place == "reply"]
    if replies:
        certain = any(not row.unconfirmed for row in replies)
        if not certain and not _bears_a_mark(weighed):
            return None
        recipients = tuple(dict.fromkeys(context.recipients))
        return Blocked(_mailbox_of_copy(context, weighed), recipients, "strong" if certain else "weak")
    if any(each.match.row.place == "report" for each in weighed):
        return _mailbox_in_report(context)
    return None


def _bears_a_mark(weighed: Sequence[Weighed]) -> bool:
    """True if the copy itself shows whose forward it is, however weakly."""
    return any(each.match.row.kind == "auto" and each.match.mailbox is not None for each in weighed)


def _mailbox_of_copy(context: Context, weighed: Sequence[Weighed]) -> str | None:
    """Whom a mark of the copy names, however weak: the refusal is what proves that there was a forward."""
    named = [each.match.mailbox for each in weighed if each.match.row.kind == "auto" and each.match.mailbox]
    inside = [mailbox for mailbox in [*named, *addressees(context)] if context.organisation.owns(mailbox)]
    reverse_path = (context.transaction.reverse_path or "").lower()
    for candidates in (inside, named, [reverse_path] if reverse_path else []):
        if candidates:
            return candidates[0]
    return None


def _mailbox_in_report(context: Context) -> Blocked:
    """The first address in the report of the side that wrote it; the others but its reader are where it would go."""
    reader = set(context.recipients)
    named = [
        address
        for address in context.transaction.reported_addresses
        if address not in reader and not address.startswith(_DAEMONS)
    ]
    ours = [address for address in named if _is_reporters(address, context)]
    mailbox = ours[0] if ours else None
    return Blocked(mailbox, tuple(address for address in named if address not in ours))


def _is_reporters(address: str, context: Context) -> bool:
    if context.organisation.known:
        return context.organisation.owns(address)
    header = context.header
    authors = [domain_of(author) for author in header.from_] if header is not None else []
    helo = context.transaction.session.helo or ""
    return any(related(domain_of(address), side) for side in (*authors, helo) if side)
