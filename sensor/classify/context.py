"""One mail with all that it shows, and what of that its sender could not write: hops, and whom it was for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import takewhile

from sensor.classify.artifacts import Match
from sensor.classify.direction import Organisation, below, below_any
from sensor.classify.road import is_own_hop, is_providers, is_shared, related
from sensor.classify.text import bare_address, domain_of, original_recipient
from sensor.model import Transaction

_DELIVERED = "delivered-to"


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
    return [address for address, each in found if address and own_hops_above(each.received_above, address, context)]


def taken_for(context: Context) -> list[str]:
    """Whom the hops of the sending side took the mail for, down to the one that took it from elsewhere."""
    lines = enumerate(context.transaction.received)
    named = [(line.for_address.lower(), at) for at, line in lines if line.for_address is not None]
    return [address for address, at in named if own_hops_above(at, address, context)]


def own_hops_above(lines: int, mailbox: str | None, context: Context) -> bool:
    """True if each of the topmost *lines* Received lines tells of a hop on the side of *mailbox*."""
    return lines <= context.own_hops(mailbox)


def _count_own_hops(context: Context, domain: str) -> int:
    helo = context.transaction.session.helo
    domains = [domain] if domain else []
    if helo is not None and not is_shared(helo):
        domains.append(helo)
    hops = takewhile(lambda line: is_own_hop(line, domains, context.organisation), context.transaction.received)
    return sum(1 for _ in hops)


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


def _is_its_tenant(domain: str, context: Context) -> bool:
    """True if Exchange Online is sending, and says that it does so for that domain."""
    helo, tenant = context.transaction.session.helo, context.value_of("x-originatororg")
    return helo is not None and below(helo, "outlook.com") and tenant is not None and related(tenant.strip(), domain)
