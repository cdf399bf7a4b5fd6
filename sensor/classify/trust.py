"""
The rules of trust: what a marker must stand before it counts as evidence.

The sender can write any field. So a marker is believed only where the envelope and the road of the mail agree with it:

1. its destination is a forward-path of this very transaction,
2. its mailbox belongs to the side that is sending now,
3. where its writer prepends, no hop from a foreign host stands above it, that is, came after it,
4. its mailbox is not the one that the mail goes to.

A row adds rules of its own (``requires``). What fails any of them is a weak hint, whatever the row says it proves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from sensor.classify.artifacts import Match, recipients, split_subject
from sensor.classify.direction import Organisation, below, below_any
from sensor.model import Evidence, HeaderView, ReceivedView, Transaction


@dataclass(frozen=True, slots=True)
class Weighed:
    """A match with what it proves, and the names of the rules it failed."""

    match: Match
    evidence: Evidence
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """One mail with all that it shows, for the rules to look at."""

    transaction: Transaction
    organisation: Organisation
    matches: Sequence[Match]
    recipients: Sequence[str]

    @property
    def header(self) -> HeaderView | None:
        return self.transaction.header

    def has_field(self, name: str) -> bool:
        """True if the header section holds a kept field of that name."""
        return any(field.name.lower() == name for field in self.transaction.fields)


def weigh(context: Context) -> list[Weighed]:
    """Each match with the evidence it is worth here."""
    weighed = []
    for match in context.matches:
        rules = [*_COMMON, *((name, _OWN[name]) for name in match.row.requires)]
        failed = tuple(name for name, holds in rules if not holds(match, context))
        weighed.append(Weighed(match, "weak" if failed else match.row.evidence, failed))
    return weighed


# ---- rules for every marker


def _destination_is_recipient(match: Match, context: Context) -> bool:
    return match.destination is None or match.destination in context.recipients


def _mailbox_on_sending_side(match: Match, context: Context) -> bool:
    if match.mailbox is None:
        return True
    transaction, domain = context.transaction, domain_of(match.mailbox)
    helo = transaction.session.helo
    if helo is not None and (related(helo, domain) or below_any(helo, match.row.hosts)):
        return True
    if transaction.reverse_path and related(domain_of(transaction.reverse_path), domain):
        return True
    if transaction.received and related(transaction.received[0].by or "", domain):
        return True
    return _leaves_us(match.mailbox, context)


def _leaves_us(mailbox: str, context: Context) -> bool:
    """True if our mailbox's mail goes out of our house, where we watch: then the side that sends is ours."""
    organisation, client_ip = context.organisation, context.transaction.session.client_ip
    if not organisation.known or not organisation.owns(mailbox) or all(map(organisation.owns, context.recipients)):
        return False
    return not organisation.knows_networks or organisation.owns_ip(client_ip)


def _no_foreign_hop_above(match: Match, context: Context) -> bool:
    if not match.row.prepended or not match.position:
        return True
    domains = [domain_of(match.mailbox)] if match.mailbox is not None else []
    helo = context.transaction.session.helo
    if helo is not None:
        domains.append(helo)
    above = context.transaction.received[: match.position]
    return all(_is_own_hop(line, domains, context.organisation) for line in above)


def _is_own_hop(line: ReceivedView, domains: Sequence[str], organisation: Organisation) -> bool:
    """True if the line tells of a hop on the mailbox's own side: a local pick-up, a filter, a relay of the house."""
    if line.from_ is None or any(related(line.from_, domain) for domain in domains):
        return True
    if line.from_ip is None:
        return False
    try:
        address = ip_address(line.from_ip)
    except ValueError:
        return False
    return address.is_loopback or organisation.owns_ip(line.from_ip)


def _mailbox_is_not_recipient(match: Match, context: Context) -> bool:
    return match.row.kind != "auto" or match.mailbox not in context.recipients


# ---- rules that a row may ask for


def _one_recipient(match: Match, context: Context) -> bool:
    return len(context.recipients) == 1


def _mailbox_addressed(match: Match, context: Context) -> bool:
    """The mailbox is whom the mail was written or delivered to: a redirected mail keeps its addressee."""
    return match.mailbox is not None and match.mailbox in addressees(context.transaction)


def _recipient_unaddressed(match: Match, context: Context) -> bool:
    header = context.header
    if header is None:
        return False
    written_to = {address.lower() for address in (*header.to, *header.cc)}
    return written_to.isdisjoint(context.recipients)


def _forward_shape(match: Match, context: Context) -> bool:
    """A stranger's mail, or the mailbox's own that looks forwarded; what else a mailbox sends by rule is a reply."""
    header = context.header
    if header is None:
        return False
    from_mailbox = match.mailbox in [address.lower() for address in header.from_]
    return not from_mailbox or any(other.row.kind == "visible" for other in context.matches)


def _no_resent_to(match: Match, context: Context) -> bool:
    return not context.has_field("resent-to")


def _resent_block(match: Match, context: Context) -> bool:
    return match.mailbox is not None and context.has_field("resent-date")


def _from_its_hosts(match: Match, context: Context) -> bool:
    helo = context.transaction.session.helo
    return helo is not None and below_any(helo, match.row.hosts)


def _thread_sign(match: Match, context: Context) -> bool:
    """The mail goes on a thread: it names earlier mail, or Outlook's Thread-Topic is the subject without the prefix."""
    header = context.header
    if header is None:
        return False
    _, rest = split_subject(header.subject)
    same_topic = bool(rest) and (header.thread_topic or "").strip().lower() == rest.lower()
    return same_topic or bool(header.in_reply_to) or bool(header.references)


def _forward_sign(match: Match, context: Context) -> bool:
    """Something that replies do not have: a separator line, an attached message, the forwarded mail's identifier."""
    return any(other.row.kind == "visible" and other.row.place != "subject" for other in context.matches)


Rule = Callable[[Match, Context], bool]
_COMMON: tuple[tuple[str, Rule], ...] = (
    ("destination_is_recipient", _destination_is_recipient),
    ("mailbox_on_sending_side", _mailbox_on_sending_side),
    ("no_foreign_hop_above", _no_foreign_hop_above),
    ("mailbox_is_not_recipient", _mailbox_is_not_recipient),
)
_OWN: dict[str, Rule] = {
    "one_recipient": _one_recipient,
    "mailbox_addressed": _mailbox_addressed,
    "recipient_unaddressed": _recipient_unaddressed,
    "forward_shape": _forward_shape,
    "no_resent_to": _no_resent_to,
    "resent_block": _resent_block,
    "from_its_hosts": _from_its_hosts,
    "thread_sign": _thread_sign,
    "forward_sign": _forward_sign,
}
RULE_NAMES = tuple(_OWN)


# ---- shared by rules and verdict


def domain_of(address: str) -> str:
    """The part after the last ``@``."""
    return address[address.rfind("@") + 1 :]


def related(one: str, other: str) -> bool:
    """True if one name is the other or below it. A name of one label (``com``, ``localhost``) is related to none."""
    shorter = min(one, other, key=len)
    return "." in shorter.strip(".") and (below(one, other) or below(other, one))


def addressees(transaction: Transaction) -> list[str]:
    """
    Whom the mail was written or delivered to before it came to this transaction, best source first.

    ORCPT names the address before aliasing (RFC 3461 4.2), Delivered-To the mailbox it reached (RFC 9228).
    """
    forward_to = recipients(transaction.forward_paths)
    originals = [path.orcpt.partition(";")[2] for path in transaction.forward_paths if path.orcpt]
    header = transaction.header
    if header is not None:
        originals += [*header.delivered_to, *header.to, *header.cc]
    originals += [line.for_address for line in transaction.received if line.for_address]
    return [address for address in dict.fromkeys(map(str.lower, originals)) if address and address not in forward_to]


__all__ = ["RULE_NAMES", "Context", "Weighed", "addressees", "domain_of", "related", "weigh"]
