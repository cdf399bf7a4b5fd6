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

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from sensor.classify.artifacts import Match
from sensor.classify.direction import Organisation, below, below_any, sender_inside
from sensor.classify.road import is_own_hop, is_providers, is_shared, related, routes_to
from sensor.classify.rows import languages
from sensor.classify.text import bare_address, domain_of, original_recipient, split_subject
from sensor.model import Evidence, Transaction

_DELIVERED = "delivered-to"
_REACH = "out_of_senders_reach"
_LEANS = "leans_on_other_evidence"


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


class Context:
    """
    One mail with all that it shows, for the rules to look at. What several of them ask is worked out once.

    ``reverse_path`` (empty where there is none), ``authors`` (those of From) and ``written_to`` (those of To and Cc)
    are in lower case, and ``by_name`` has the topmost kept field of each name in lower case.
    """

    def __init__(
        self,
        transaction: Transaction,
        organisation: Organisation,
        matches: Sequence[Match],
        recipients: Sequence[str],
        reply_prefixes: frozenset[str] = frozenset(),
    ) -> None:
        header = transaction.header
        self.transaction = transaction
        self.organisation = organisation
        self.matches = matches
        self.recipients = recipients
        self.reply_prefixes = reply_prefixes
        self.header = header
        self.reverse_path = (transaction.reverse_path or "").lower()
        self.authors = [each.lower() for each in header.from_] if header is not None else []
        self.written_to = {each.lower() for each in (*header.to, *header.cc)} if header is not None else set()
        self.by_name = {each.name.lower(): each.value for each in reversed(transaction.fields)}
        self._own_hops: dict[str, int] = {}
        self._senders: dict[tuple[str, Sequence[str]], bool] = {}

    @cached_property
    def addressees(self) -> Sequence[str]:
        """
        Whom the mail was written or delivered to before it came to this transaction, best source first.

        ORCPT names the address before aliasing (RFC 3461 4.2), Delivered-To the mailbox it reached (RFC 9228), a
        Received line whom a hop took it for. Of these two only what the mail's sender could not write is believed.
        """
        return _addressees(self)

    @cached_property
    def leaves_us(self) -> bool:
        """True if we know who we are and somebody elsewhere gets the mail."""
        return self.organisation.known and not all(map(self.organisation.owns, self.recipients))

    def sends_now(self, mailbox: str, hosts: Sequence[str]) -> bool:
        """True if the side of *mailbox*, or a service at *hosts*, is sending."""
        sends = self._senders.get((mailbox, hosts))
        if sends is None:
            sends = self._senders[mailbox, hosts] = _sends_now(mailbox, hosts, self)
        return sends

    def has_field(self, name: str) -> bool:
        """True if the header section holds a kept field of that name (lower case)."""
        return name in self.by_name

    def has_any(self, names: Collection[str]) -> bool:
        """True if the header section holds a kept field of any of those names (lower case)."""
        return not self.by_name.keys().isdisjoint(names)

    def own_hops(self, mailbox: str | None) -> int:
        """How many Received lines from the top tell of hops on the side of *mailbox*, or of the host that sends."""
        domain = domain_of(mailbox) if mailbox is not None else ""
        hops = self._own_hops.get(domain)
        if hops is None:
            hops = self._own_hops[domain] = _count_own_hops(self, domain)
        return hops

    def value_of(self, name: str) -> str | None:
        """The topmost kept field of that name (lower case)."""
        return self.by_name.get(name)


def _addressees(context: Context) -> list[str]:
    """See ``Context.addressees``: the best source first."""
    transaction, header = context.transaction, context.header
    originals = [original_recipient(path.orcpt) for path in transaction.forward_paths]
    originals += [address for address in delivered_to(context) if address not in originals]
    if header is not None:
        originals += [*header.to, *header.cc]
    originals += taken_for(context)
    folded = [address.lower() for address in originals if address]
    return [address for address in dict.fromkeys(folded) if address not in context.recipients]


def delivered_to(context: Context) -> list[str]:
    """The mailboxes that Delivered-To names above the last hop from a foreign host."""
    if not context.has_field(_DELIVERED):
        return []
    found = [(bare_address(each.value), each) for each in context.transaction.fields if each.name.lower() == _DELIVERED]
    return [address for address, each in found if address and _own_hops_above(each.received_above, address, context)]


def taken_for(context: Context) -> list[str]:
    """Whom the hops of the sending side took the mail for, down to the one that took it from elsewhere."""
    lines = enumerate(context.transaction.received)
    named = [(line.for_address.lower(), at) for at, line in lines if line.for_address is not None]
    return [address for address, at in named if _own_hops_above(at, address, context)]


def weigh(context: Context) -> list[Weighed]:
    """Each match with the evidence it is worth here."""
    weighed = [_weighed_alone(match, context) for match in context.matches]
    anchors = [each.match for each in weighed if each.evidence != "weak"]
    if not anchors:
        return weighed
    return [_leaning(each, anchors) if each.failed == (_REACH,) else each for each in weighed]


def _weighed_alone(match: Match, context: Context) -> Weighed:
    failed: list[str] = []
    passed: list[str] = []
    for name in (*_common_rules(match), *match.row.requires):
        (passed if RULES[name].holds(match, context) else failed).append(name)
    return Weighed(match, "weak" if failed else match.row.evidence, tuple(failed), tuple(passed))


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
    return Weighed(match, match.row.evidence, (), (*weighed.passed, _LEANS), same)


def _common_rules(match: Match) -> list[str]:
    """The rules that every marker is held against, as far as it names what they ask about."""
    row, names_mailbox, is_auto = match.row, match.mailbox is not None, match.row.kind == "auto"
    rules = ["destination_is_recipient"] if match.destinations else []
    if names_mailbox:
        rules.append("mailbox_on_sending_side")
    if row.place == "field" or match.received_above is not None:
        if is_auto and not names_mailbox:
            rules.append("forwarder_is_sending")
        rules.append(_REACH)
    if names_mailbox and is_auto:
        rules.append("mailbox_is_not_recipient")
        if row.place == "field" and "forward_shape" not in row.requires:
            rules.append("anothers_mail")
    return rules


# ---- rules for every marker


def _destination_is_recipient(match: Match, context: Context) -> bool:
    return not match.destinations or not set(match.destinations).isdisjoint(context.recipients)


def _mailbox_on_sending_side(match: Match, context: Context) -> bool:
    if match.mailbox is None or match.row.place in ("reply", "report"):
        return True
    return context.sends_now(match.mailbox, match.row.hosts)


def _sends_now(mailbox: str, hosts: Sequence[str], context: Context) -> bool:
    """
    See ``Context.sends_now``.

    A stranger can write our domain into his reverse-path and a Received line of ours on top. For a mailbox of ours
    these count only where the mail leaves us, which his does not.
    """
    transaction, organisation, domain = context.transaction, context.organisation, domain_of(mailbox)
    client_ip = transaction.session.client_ip
    if organisation.knows_networks and organisation.owns(mailbox) and client_ip is not None:
        return organisation.owns_ip(client_ip)
    helo = transaction.session.helo
    if helo is not None and (related(helo, domain) or below_any(helo, hosts) or is_providers(helo, domain)):
        return True
    if _is_its_tenant(domain, context):
        return True
    if organisation.owns(mailbox):
        return context.leaves_us
    if context.leaves_us and helo is not None and organisation.owns_host(helo):
        return False
    if transaction.reverse_path and related(domain_of(transaction.reverse_path), domain):
        return True
    return bool(transaction.received) and related(transaction.received[0].by or "", domain)


def _forwarder_is_sending(match: Match, context: Context) -> bool:
    """A marker that names nobody: somebody whom the mail had reached must be on the side that sends."""
    transaction, organisation = context.transaction, context.organisation
    if context.leaves_us and sender_inside(organisation, transaction):
        return True
    helo = transaction.session.helo
    if not organisation.knows_networks and helo is not None and organisation.owns_host(helo):
        return True
    named = [other.mailbox for other in context.matches if other.row.place == "reverse_path" and other.mailbox]
    return any(context.sends_now(each, match.row.hosts) for each in (*named, *context.addressees))


def _is_its_tenant(domain: str, context: Context) -> bool:
    """True if Exchange Online is sending, and says that it does so for that domain."""
    helo, tenant = context.transaction.session.helo, context.value_of("x-originatororg")
    return helo is not None and below(helo, "outlook.com") and tenant is not None and related(tenant.strip(), domain)


def _out_of_senders_reach(match: Match, context: Context) -> bool:
    return not match.received_above or _own_hops_above(match.received_above, match.mailbox, context)


def _own_hops_above(lines: int, mailbox: str | None, context: Context) -> bool:
    """True if each of the topmost *lines* Received lines tells of a hop on the side of *mailbox*."""
    return lines <= context.own_hops(mailbox)


def _count_own_hops(context: Context, domain: str) -> int:
    helo = context.transaction.session.helo
    domains = [domain] if domain else []
    if helo is not None and not is_shared(helo):
        domains.append(helo)
    hops = takewhile(lambda line: is_own_hop(line, domains, context.organisation), context.transaction.received)
    return sum(1 for _ in hops)


def _never_alone(match: Match, context: Context) -> bool:
    """Whether a marker has something to lean on is seen once all have been weighed alone."""
    return False


def _same_side(one: str, other: str, context: Context) -> bool:
    owns = context.organisation.owns
    return related(domain_of(one), domain_of(other)) or (owns(one) and owns(other)) or routes_to(other, one)


def _mailbox_is_not_recipient(match: Match, context: Context) -> bool:
    return match.mailbox not in context.recipients


def _anothers_mail(match: Match, context: Context) -> bool:
    """A forward keeps its author; what the mailbox itself writes to somebody bears its marks from an older journey."""
    if (match.mailbox or context.reverse_path) not in context.authors:
        return True
    return _recipient_unaddressed(match, context)


# ---- rules that a row may ask for


def _one_recipient(match: Match, context: Context) -> bool:
    return len(context.recipients) == 1


def _mailbox_addressed(match: Match, context: Context) -> bool:
    return match.mailbox is not None and match.mailbox in context.addressees


def _recipient_unaddressed(match: Match, context: Context) -> bool:
    return context.header is not None and context.written_to.isdisjoint(context.recipients)


def _recipient_elsewhere(match: Match, context: Context) -> bool:
    if match.mailbox is not None:
        mailbox = match.mailbox
        return any(not _same_side(recipient, mailbox, context) for recipient in context.recipients)
    return not context.organisation.known or not all(map(context.organisation.owns, context.recipients))


def _forward_shape(match: Match, context: Context) -> bool:
    if context.header is None:
        return False
    # A marker that names nobody speaks of the mailbox that sends.
    return (match.mailbox or context.reverse_path) not in context.authors or _looks_forwarded(context)


def _looks_forwarded(context: Context) -> bool:
    """A visible sign that proves something, or a prefix of an unknown language above a quoted mail."""
    visible = [other for other in context.matches if other.row.kind == "visible"]
    if any(other.row.evidence != "weak" and _requirements_hold(other, context) for other in visible):
        return True
    unknown_prefix = any(other.row.shape == "topic_behind_prefix" for other in visible)
    return unknown_prefix and any(other.row.place == "body" for other in visible)


def _requirements_hold(match: Match, context: Context) -> bool:
    return all(RULES[name].holds(match, context) for name in match.row.requires)


def _no_resent_to(match: Match, context: Context) -> bool:
    return not context.has_field("resent-to")


def _resent_block(match: Match, context: Context) -> bool:
    return match.mailbox is not None and context.has_field("resent-date")


def _from_its_hosts(match: Match, context: Context) -> bool:
    helo = context.transaction.session.helo
    return helo is not None and below_any(helo, match.row.hosts)


def _thread_sign(match: Match, context: Context) -> bool:
    header = context.header
    if header is None:
        return False
    _, rest = split_subject(header.subject)
    same_topic = bool(rest) and (header.thread_topic or "").strip().lower() == rest.lower()
    goes_on = bool(header.in_reply_to) or bool(header.references)
    return same_topic or goes_on or _forward_language(match, context)


def _forward_sign(match: Match, context: Context) -> bool:
    return any(
        other.row.kind == "visible"
        and other.row.place in ("body", "field", "attached_message")
        and other.row.evidence != "weak"
        for other in context.matches
    )


def _forward_language(match: Match, context: Context) -> bool:
    codes = [language.code for language in languages()]
    written = {codes[number] for number in context.transaction.label_languages if number < len(codes)}
    return not written.isdisjoint(match.row.languages) or _forward_sign(match, context)


def _label_block(match: Match, context: Context) -> bool:
    return match.labelled


def _a_persons(match: Match, context: Context) -> bool:
    """A program's mail goes on no thread; a rule that forwards does, and says itself to be a program (RFC 3834 5)."""
    header = context.header
    said = (header.auto_submitted or "no") if header is not None else "no"
    return said == "no" or _thread_sign(match, context)


def _not_a_reply(match: Match, context: Context) -> bool:
    header = context.header
    prefix, _ = split_subject(header.subject if header is not None else None)
    if prefix not in context.reply_prefixes:
        return True
    # VS: is a reply in one language and a forward in others.
    return any(prefix in other.row.prefixes for other in context.matches)


Test = Callable[[Match, Context], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its test, and in words what holds where it is passed, and what does not where it fails."""

    holds: Test
    passed: str
    failed: str


RULES: Mapping[str, Rule] = {
    "destination_is_recipient": Rule(
        _destination_is_recipient,
        "the destination it names is a recipient of this mail",
        "the destination it names is no recipient of this mail: it is of another journey, or forged",
    ),
    "mailbox_on_sending_side": Rule(
        _mailbox_on_sending_side,
        "the mailbox it names belongs to the side that is sending",
        "the mailbox it names does not belong to the side that is sending",
    ),
    "out_of_senders_reach": Rule(
        _out_of_senders_reach,
        "it was written after the last hop from a foreign host",
        "it stands below a hop from a foreign host: the sender of the mail can have written it, and nothing that he "
        "could not write shows a forward by that mailbox",
    ),
    _LEANS: Rule(
        _never_alone,
        "it stands where the mail's sender can write, at the foot where its own writer puts it; what he could not "
        "write shows a forward by the same mailbox",
        "nothing that the mail's sender could not write shows a forward by that mailbox",
    ),
    "forwarder_is_sending": Rule(
        _forwarder_is_sending,
        "it names no mailbox; somebody whom the mail had reached is on the side that is sending",
        "it names no mailbox, and nobody whom the mail had reached is on the side that is sending",
    ),
    "mailbox_is_not_recipient": Rule(
        _mailbox_is_not_recipient,
        "the mailbox it names is not where the mail goes",
        "the mail goes to the very mailbox that it names",
    ),
    "anothers_mail": Rule(
        _anothers_mail,
        "somebody else wrote the mail, or not to this recipient",
        "the mailbox itself wrote the mail to this recipient: the mark is of an older journey, or forged",
    ),
    "one_recipient": Rule(
        _one_recipient,
        "the mail has one recipient, as a forwarded copy has",
        "the mail has several recipients, a forwarded copy one",
    ),
    "mailbox_addressed": Rule(
        _mailbox_addressed,
        "the mail was written or delivered to that mailbox",
        "the mail was neither written nor delivered to that mailbox",
    ),
    "recipient_unaddressed": Rule(
        _recipient_unaddressed,
        "the recipient stands neither in To nor in Cc",
        "the recipient stands in To or Cc: the mail was written to it",
    ),
    "recipient_elsewhere": Rule(
        _recipient_elsewhere,
        "the recipient is of another side than the mailbox",
        "the recipient is on the mailbox's own side: an alias or a hop inside the house",
    ),
    "forward_shape": Rule(
        _forward_shape,
        "somebody else wrote the mail, or it looks forwarded",
        "the mailbox wrote the mail itself and it does not look forwarded: a rule's reply",
    ),
    "no_resent_to": Rule(
        _no_resent_to,
        "there is no Resent-To, as a person's resend has",
        "there is a Resent-To: a person resent the mail",
    ),
    "resent_block": Rule(
        _resent_block,
        "Resent-From and Resent-Date stand with it",
        "Resent-From or Resent-Date is missing: no client's resend",
    ),
    "from_its_hosts": Rule(
        _from_its_hosts,
        "a host of the service that writes it is sending",
        "no host of the service that writes it is sending",
    ),
    "thread_sign": Rule(
        _thread_sign,
        "the mail goes on a thread, or its quoted block is in the language of the prefix",
        "nothing shows that the mail goes on a thread: the prefix may be a word",
    ),
    "forward_sign": Rule(
        _forward_sign,
        "there is a sign that replies lack: a separator, an attached mail",
        "a reply could look the same: no separator, no attached mail",
    ),
    "forward_language": Rule(
        _forward_language,
        "the quoted block is in a language in which the prefix means a forward, or there is a sign that replies lack",
        "in one language the prefix is a reply's, and nothing shows another",
    ),
    "label_block": Rule(
        _label_block,
        "two or more labels of the forwarded mail's header follow it",
        "no header block follows it: it may be quoted in running text",
    ),
    "a_persons": Rule(
        _a_persons,
        "a person wrote it, or it goes on a thread",
        "a program wrote it, and it goes on no thread: the prefix may be a word",
    ),
    "not_a_reply": Rule(
        _not_a_reply,
        "the subject is not a reply's",
        "the subject is a reply's: it quotes what was forwarded before",
    ),
}
_ALWAYS_ASKED = (
    "destination_is_recipient",
    "mailbox_on_sending_side",
    "forwarder_is_sending",
    _REACH,
    _LEANS,
    "mailbox_is_not_recipient",
)
RULE_NAMES = tuple(name for name in RULES if name not in _ALWAYS_ASKED)


__all__ = [
    "RULES",
    "RULE_NAMES",
    "Context",
    "Rule",
    "Weighed",
    "delivered_to",
    "domain_of",
    "taken_for",
    "weigh",
]
