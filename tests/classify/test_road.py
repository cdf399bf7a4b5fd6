"""Which hops are a house's own, and which domains the Internet has no name for."""

from dataclasses import dataclass

import pytest

from sensor.classify import Organisation
from sensor.classify.road import is_inner_domain, is_own_hop


@dataclass(frozen=True)
class Hop:
    from_: str | None = None
    from_ip: str | None = None
    by: str | None = None
    with_: str | None = None
    for_address: str | None = None
    position: int = 0


@pytest.mark.parametrize(
    ("domain", "inner"),
    [
        ("corp.local", True),
        ("CORP.LAN.", True),
        ("mailstore1", True),
        ("[10.1.1.5]", True),
        ("[IPv6:fd00::5]", True),
        ("[127.0.0.1]", True),
        ("corp.example", False),
        ("corp.xn--p1ai", False),
        ("[203.0.113.5]", False),
        ("[IPv6:2001:db8::5]", False),
        ("[nonsense]", False),
    ],
)
def test_what_the_internet_has_no_name_for_is_inner(domain: str, inner: bool) -> None:
    assert is_inner_domain(domain) is inner


@pytest.mark.parametrize(
    ("client", "address", "receiver", "own"),
    [
        ("redirect4.mail.host.example", "10.1.2.3", "out7.mail-out.host.example", True),
        ("a.mail.host.co.uk", "10.1.2.3", "b.out.host.co.uk", True),
        ("a.first.co.uk", "10.1.2.3", "b.second.co.uk", False),
        ("redirect4.mail.host.example", "203.0.113.3", "out7.mail-out.host.example", False),
        ("mail-a1.google.com", "10.1.2.3", "mx.google.com", False),
        ("evil.example", "10.1.2.3", "mx.host.example", False),
    ],
)
def test_machines_of_one_registered_domain_meet_by_private_addresses(
    client: str, address: str, receiver: str, own: bool
) -> None:
    """Nobody outside has a private address, and no stranger bears the name of the receiver's own domain."""
    assert is_own_hop(Hop(client, address, receiver), ["corp.example"], Organisation()) is own
