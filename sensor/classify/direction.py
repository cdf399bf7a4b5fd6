"""
Whose mail is it: which domains and networks are the organisation's own, and which way a mail goes.

A domain in the settings stands for itself alone; with a leading dot, ``.corp.example``, for itself and everything
below it. It may be written in letters or as it stands in the DNS, and so may the mail's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from sensor.domains import same_form
from sensor.model import Direction, Transaction

Network = IPv4Network | IPv6Network

# Addresses remembered as inside or outside, a few MB. Each is asked about several times a mail; whoever makes up more
# only empties it.
ADDRESS_CACHE = 32_768


class Organisation:
    """The protected organisation: decides what is inside. With no domains set nothing is known to be."""

    def __init__(self, internal_domains: Iterable[str] = (), internal_networks: Iterable[Network] = ()) -> None:
        named = [domain.lower().rstrip(".") for domain in internal_domains]
        domains = [same_form(domain) for domain in named]
        self._exact = frozenset(domain.lstrip(".") for domain in domains)
        self._suffixes = tuple(domain for domain in domains if domain.startswith("."))
        self._networks = tuple(internal_networks)
        self._cache: dict[str, bool] = {}
        self.domains = tuple(sorted(set(named)))
        self.known = bool(self._exact)
        self.knows_networks = bool(self._networks)

    def owns(self, address: str) -> bool:
        """True if the mail address is in one of the organisation's domains."""
        inside = self._cache.get(address)
        if inside is None:
            if len(self._cache) >= ADDRESS_CACHE:
                self._cache.clear()
            domain = same_form(address[address.rfind("@") + 1 :])
            inside = domain in self._exact or domain.endswith(self._suffixes)
            self._cache[address] = inside
        return inside

    def owns_host(self, name: str) -> bool:
        """True if a host of that name is, or is below, one of the organisation's domains."""
        return below_any(same_form(name), self._exact)

    def owns_ip(self, ip: str | None) -> bool:
        """True if *ip* is in one of the organisation's networks; false for what is no address."""
        if ip is None or not self._networks:
            return False
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def below(host: str, domain: str) -> bool:
    """True if *host* is *domain* or below it."""
    host, domain = host.lower().rstrip("."), domain.lower().rstrip(".")
    return host == domain or host.endswith("." + domain)


def below_any(host: str, domains: Iterable[str]) -> bool:
    """True if *host* is one of *domains* or below one of them."""
    return any(below(host, domain) for domain in domains)


def direction(organisation: Organisation, *, sender_inside: bool, recipients: Sequence[str]) -> Direction:
    """
    Which way a mail goes; "unknown" where no domain is known to be ours, or nobody is written to.

    One recipient outside makes mail from inside outbound, one inside makes mail from outside inbound.
    """
    if not organisation.known or not recipients:
        return "unknown"
    # One look at a time: most mail has one recipient, and the first one outside (or inside) decides.
    for address in recipients:
        if organisation.owns(address) is not sender_inside:
            return "outbound" if sender_inside else "inbound"
    return "internal" if sender_inside else "transit"


def sender_inside(organisation: Organisation, transaction: Transaction) -> bool:
    """
    True if the mail comes from inside, as the envelope has it.

    Known networks decide, since anybody can write our domain into a reverse-path. Without them the reverse-path does,
    and for mail from nobody (``<>``, or MAIL was lost) the name that the client gave, or the author that the header
    names.
    """
    if organisation.knows_networks:
        client_ip = transaction.session.client_ip
        if client_ip is not None:
            return organisation.owns_ip(client_ip)
    reverse_path = transaction.reverse_path
    if reverse_path:
        return organisation.owns(reverse_path)
    helo = transaction.session.helo
    if helo is not None and organisation.owns_host(helo):
        return True
    header = transaction.header
    return header is not None and bool(header.from_) and organisation.owns(header.from_[0])
