"""
Whose traffic is this: the organisation's domains, worked out from mail flow where no setting names them.

A sensor stands where the mail of one organisation passes. So one side of nearly every flow is the organisation's own
network, while its partners are many and each is seen now and then; and a network of ours takes mail for our domains
and sends mail from them. That gives two steps:

1. **Our networks.** The network in the most flows, then the one in most of those that are left, until nearly all are
   accounted for. Where two are in equally many, as when only one partner was seen, an address of no use in the Internet
   (RFC 1918, RFC 4193) decides, and without one nothing is told.
2. **Our domains.** Those that our networks took mail for and sent mail from, each often enough: once may be a rewritten
   sender, an open relay, or a stranger's mail that was forwarded.

Gateways for the two ways often stand side by side, so networks are compared, not hosts. Nothing is guessed from names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network

from sensor.classify.text import domain_of
from sensor.model import Transaction

# Flows that must be seen before anything is said.
FLOWS_MIN = 3
# A network that accounts for less than this share of the flows is a partner of somebody, or a hop that strayed.
NETWORK_SHARE_MIN = 0.05
# The share of the best domain's mail that a further one must have: a second domain is used less, a stranger's shows by
# accident.
DOMAIN_SHARE_MIN = 0.02
# Clients that log in, or use the port for that (RFC 6409), send mail to anybody: taking it in says nothing.
_SUBMISSION_PORTS = (465, 587)
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))


@dataclass(frozen=True, slots=True)
class _Passage:
    """One mail's way from network to network."""

    client: str
    server: str
    sender: str
    reached: frozenset[str]
    is_submission: bool


def infer_domains(transactions: Iterable[Transaction]) -> tuple[str, ...]:
    """The domains that *transactions* show to be ours, most used first, each with a leading dot; none if unsure."""
    passages = [passage for each in transactions if (passage := _passage(each)) is not None]
    if len(passages) < FLOWS_MIN:
        return ()
    ours = _our_networks(passages)
    taken: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for each in passages:
        if each.server in ours and not each.is_submission:
            taken.update(each.reached)
        if each.client in ours and each.sender:
            sent[each.sender] += 1
    return _agreed({domain: min(count, sent[domain]) for domain, count in taken.items()})


def _passage(transaction: Transaction) -> _Passage | None:
    """None for a hop inside one network, which does not say whose it is."""
    flow = transaction.flow
    client, server = _network(flow.src_ip), _network(flow.dst_ip)
    if client == server:
        return None
    reached = (domain_of(path.address).lower() for path in transaction.forward_paths if path.accepted)
    is_submission = flow.dst_port in _SUBMISSION_PORTS or transaction.session.auth_user is not None
    sender = domain_of(transaction.reverse_path or "").lower()
    return _Passage(client, server, sender, frozenset(filter(None, reached)), is_submission)


def _our_networks(passages: Sequence[_Passage]) -> set[str]:
    ours: set[str] = set()
    left = list(passages)
    while len(left) > len(passages) * NETWORK_SHARE_MIN:
        ends = Counter(end for each in left for end in (each.client, each.server))
        most = max(ends.values())
        best = [network for network, count in ends.items() if count == most]
        if len(best) > 1:
            best = [network for network in best if is_private(network.partition("/")[0])]
        if len(best) != 1:
            break
        ours.update(best)
        left = [each for each in left if not {each.client, each.server} & ours]
    return ours


def _agreed(scores: dict[str, int]) -> tuple[str, ...]:
    least = max(1, max(scores.values(), default=0) * DOMAIN_SHARE_MIN)
    domains = [domain for domain, score in scores.items() if score >= least and "." in domain.strip(".")]
    domains.sort(key=lambda domain: (-scores[domain], domain))
    # A domain below another one of ours is taken in by that one's leading dot.
    return tuple(f".{one}" for one in domains if not any(one.endswith(f".{other}") for other in domains))


@lru_cache(maxsize=4_096)
def _network(ip: str) -> str:
    address = ip_address(ip)
    return str(ip_network((address, 24 if address.version == 4 else 64), strict=False))


@lru_cache(maxsize=4_096)
def is_private(ip: str) -> bool:
    """True for an address that is of no use in the Internet."""
    address = ip_address(ip)
    return any(address in network for network in _PRIVATE if network.version == address.version)
