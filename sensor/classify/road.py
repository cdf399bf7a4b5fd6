"""
The road of a mail: which Received lines tell of hops on the sending side's own ground.

A field that stands above the line by which the mail came in from elsewhere was written after it, so the mail's sender
had no hand on it. That line is the topmost whose client is not the sending side's own. A client's name is what it said
itself (RFC 5321 4.1.1.1), and anybody can say ours: where our networks are known, its address decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from sensor.classify.direction import Organisation, below
from sensor.model import ReceivedView

# Below these are hosts that send for everybody who is with the service: such a HELO says nothing of whose mail it is.
_SHARED_HOSTS = (
    ".google.com",
    ".outlook.com",
    ".yandex.net",
    ".yandex.ru",
    ".yandex.com",
    ".mail.ru",
    ".protonmail.ch",
)
# Exchange Online's machines among themselves, as samples show them (OLC, MIMEKIT). Mail from outside, another tenant's
# too, comes in by *.mail.protection.outlook.com.
_EXCHANGE_INSIDE = (
    ".prod.outlook.com",
    ".prod.protection.outlook.com",
    ".outlook.office365.com",
    ".prod.exchangelabs.com",
)
# RFC 1918, RFC 4193, and addresses of one link or host: nobody outside has one.
_PRIVATE = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)


# Mailbox providers whose hosts bear other names than their mailboxes' domains: hosts, then domains.
_PROVIDERS_HOSTS = (
    ((".apple.com", ".me.com", ".icloud.com"), ("icloud.com", "me.com", "mac.com")),
    ((".google.com",), ("gmail.com", "googlemail.com")),
    ((".outlook.com",), ("outlook.com", "hotmail.com", "live.com", "msn.com")),
    ((".yahoo.com",), ("yahoo.com", "ymail.com", "aol.com")),
    ((".gmx.net", ".web.de"), ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "web.de")),
    ((".messagingengine.com",), ("fastmail.com", "fastmail.fm")),
    ((".protonmail.ch", ".proton.ch"), ("proton.me", "protonmail.com", "pm.me")),
    ((".yandex.net",), ("yandex.ru", "yandex.com", "ya.ru")),
    ((".mail.ru",), ("mail.ru", "inbox.ru", "list.ru", "bk.ru")),
)
_HOSTS_OF = {domain: hosts for hosts, domains in _PROVIDERS_HOSTS for domain in domains}


# RFC 6762 3 and appendix G, RFC 8375, and what containers' networks are called. Those with a hyphen, an underscore or a
# digit in them, as Docker's, need not be named: no top-level domain has one but in "xn--".
_INNER_DOMAINS = frozenset(
    ("local", "localdomain", "internal", "intranet", "intra", "private", "corp", "home", "lan", "arpa", "docker")
)
# Below a country's domain these belong to nobody: what stands before them is registered. Where a country has others,
# two owners look like one; but only of clients with a private address is it asked, and strangers have none.
_SHARED_SECOND_LABELS = frozenset(
    ("ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "gv", "mil", "ne", "net", "nom", "or", "org")
)
# Pairs of names remembered, some MB at most: a mail compares its few names many times, and those of a house come again.
_PAIRS = 4_096
# Addresses remembered, as above: to read one, and to look for its network, costs more than all else about a hop.
_ADDRESSES = 4_096


@lru_cache(_PAIRS)
def related(one: str, other: str) -> bool:
    """True if one name is the other or below it. A name of one label (``com``, ``localhost``) is related to none."""
    shorter = min(one, other, key=len)
    return "." in shorter.strip(".") and (below(one, other) or below(other, one))


def routes_to(mailbox: str, recipient: str) -> bool:
    """
    True if *recipient* is where the house's own servers hand the mail of *mailbox* to a service that hosts it.

    Exchange routes to ``ann@corp.mail.onmicrosoft.com``, Google's dual delivery to
    ``ann@corp.example.test-google-a.com``.
    A tenant's name is its own in all the service, so only one that says the mailbox's domain is taken for it.
    """
    (local, _, domain), (same, _, routing) = mailbox.lower().rpartition("@"), recipient.lower().rpartition("@")
    if local != same:
        return False
    if routing == f"{domain}.test-google-a.com":
        return True
    tenant = routing.removesuffix(".onmicrosoft.com").removesuffix(".mail")
    return routing.endswith(".onmicrosoft.com") and tenant in (domain.partition(".")[0], domain.replace(".", ""))


def is_inner_domain(domain: str) -> bool:
    """
    True if mail for *domain* stays in the house: a bare host, a name that the Internet has none of, a private address.

    A relay hands the mail of ``ann@corp.example`` to ``ann@corp.local`` or ``ann@[10.1.1.5]``.
    """
    if domain.startswith("["):
        address = _address(domain.strip("[]").lower().removeprefix("ipv6:"))
        return address is not None and (address.is_loopback or _is_private(address))
    return _is_inner_name(domain.lower().rstrip("."), None)


def is_own_hop(line: ReceivedView, domains: Sequence[str], organisation: Organisation) -> bool:
    """True if the line tells of a hop on the side of *domains*: a local pick-up, a filter, a relay of the house."""
    if line.from_ is None or _is_inside_exchange(line) or _is_submission(line):
        return True
    by_name = any(related(line.from_, domain) for domain in domains)
    if by_name and not organisation.knows_networks:
        return True
    address = _address(line.from_ip)
    if address is None:
        return by_name
    if address.is_loopback or organisation.owns_ip(line.from_ip):
        return True
    if _is_private(address):
        return by_name or _are_neighbours(line)
    return by_name and not organisation.knows_networks


def is_providers(host: str, domain: str) -> bool:
    """True if *host* is of the mailbox provider whose mailboxes are in *domain*."""
    hosts = _HOSTS_OF.get(domain)
    return hosts is not None and _is_below(host, hosts)


def is_shared(host: str) -> bool:
    """True if *host* is of a service that sends for everybody who is with it."""
    return _is_below(host, _SHARED_HOSTS)


def _is_below(host: str, domains: tuple[str, ...]) -> bool:
    return f".{host.lower().rstrip('.')}".endswith(domains)


def _is_inside_exchange(line: ReceivedView) -> bool:
    """From one machine of Exchange Online to another, where mail from outside never arrives."""
    return (
        line.from_ is not None
        and line.by is not None
        and _is_below(line.from_, _EXCHANGE_INSIDE)
        and _is_below(line.by, _EXCHANGE_INSIDE)
    )


def _is_submission(line: ReceivedView) -> bool:
    """True if the client logged in (RFC 3848: ESMTPA, ESMTPSA and kin): somebody of the house, wherever he is."""
    return (line.with_ or "").upper() in ("ESMTPA", "ESMTPSA", "UTF8SMTPA", "UTF8SMTPSA")


def _are_neighbours(line: ReceivedView) -> bool:
    """True if the client's name is one inside a house, or of the receiver's domain, which is no service of many."""
    here, there = _registered(line.by), _registered(line.from_)
    if _is_inner_name((line.from_ or "").lower().rstrip("."), line.from_ip):
        return True
    return here is not None and here == there and not is_shared(here)


def _is_inner_name(name: str, ip: str | None) -> bool:
    """A bare host name, the client's address itself, or a name below what is no top-level domain of the Internet."""
    last = name.rpartition(".")[2]
    if last == name or name.strip("[]") == ip:
        return True
    return last in _INNER_DOMAINS or (not last.startswith("xn--") and not last.isalpha())


def _registered(host: str | None) -> str | None:
    """The domain that somebody registered, as far as two or three labels tell: a provider's own machines share it."""
    labels = (host or "").lower().rstrip(".").split(".")
    under_shared = len(labels) > 1 and len(labels[-1]) == 2 and labels[-2] in _SHARED_SECOND_LABELS
    wanted = 3 if under_shared else 2
    return ".".join(labels[-wanted:]) if len(labels) >= wanted else None


@lru_cache(_ADDRESSES)
def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _PRIVATE)


@lru_cache(_ADDRESSES)
def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text) if text is not None else None
    except ValueError:
        return None
