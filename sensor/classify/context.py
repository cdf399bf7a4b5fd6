"""One mail with all that it shows, and what of that its sender could not write: hops, and whom it was for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from sensor.classify.artifacts import Match
from sensor.classify.direction import Organisation
from sensor.classify.road import is_own_hop, is_shared
from sensor.classify.text import bare_address, domain_of, original_recipient
from sensor.model import HeaderView, Transaction

_DELIVERED = "delivered-to"


@dataclass(frozen=True, slots=True)
class Context:
    """One mail with all that it shows, for the rules to look at."""

    transaction: Transaction
    organisation: Organisation
    matches: Sequence[Match]
    recipients: Sequence[str]
    reply_prefixes: frozenset[str] = frozenset()
    _fields: dict[str, str] = field(default_factory=dict)
    _own_hops: dict[str, int] = field(default_factory=dict)

    @property
    def header(self) -> HeaderView | None:
        return self.transaction.header

    def has_field(self, name: str) -> bool:
        """True if the header section holds a kept field of that name (lower case)."""
        return name in self._by_name()

    def has_any(self, names: Collection[str]) -> bool:
        """True if the header section holds a kept field of any of those names (lower case)."""
        return not self._by_name().keys().isdisjoint(names)

    def own_hops(self, mailbox: str | None) -> int:
        """How many Received lines from the top tell of hops on the side of *mailbox*, or of the host that sends."""
        domain = domain_of(mailbox) if mailbox is not None else ""
        hops = self._own_hops.get(domain)
        if hops is None:
            hops = self._own_hops[domain] = _count_own_hops(self, domain)
        return hops

    def value_of(self, name: str) -> str | None:
        """The topmost kept field of that name (lower case)."""
        return self._by_name().get(name)

    def _by_name(self) -> dict[str, str]:
        if not self._fields:
            for each in reversed(self.transaction.fields):
                self._fields[each.name.lower()] = each.value
        return self._fields


def addressees(context: Context) -> list[str]:
    """
    Whom the mail was written or delivered to before it came to this transaction, best source first.

    ORCPT names the address before aliasing (RFC 3461 4.2), Delivered-To the mailbox it reached (RFC 9228), a Received
    line whom a hop took it for. Of these two only what the mail's sender could not write is believed.
    """
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
