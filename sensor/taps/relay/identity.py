"""Who the client is, as one server tells another: XCLIENT and XFORWARD attributes."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Identity:
    """The client's end and the end it connected to, each an address in its usual form, and a port."""

    client: tuple[str, int]
    server: tuple[str, int]


def xclient(identity: Identity, offered: bytes) -> bytes:
    """The command with as much of *identity* as the next hop *offered* to take: its attribute names."""
    names = offered.upper().split()
    told = {
        b"ADDR": _address(identity.client[0]),
        b"PORT": b"%d" % identity.client[1],
        b"DESTADDR": _address(identity.server[0]),
        b"DESTPORT": b"%d" % identity.server[1],
    }
    # The host's name is the next hop's to look up: what nobody looked up is said to be so.
    return _command(b"XCLIENT", {b"NAME": b"[UNAVAILABLE]"} | told, names)


def xforward(identity: Identity, offered: bytes) -> bytes:
    """The same for a log: the next hop goes on to treat the relay as its client."""
    told = {b"ADDR": _address(identity.client[0]), b"PORT": b"%d" % identity.client[1], b"SOURCE": b"REMOTE"}
    return _command(b"XFORWARD", told, offered.upper().split())


def _command(verb: bytes, told: dict[bytes, bytes], names: list[bytes]) -> bytes:
    return b" ".join((verb, *(name + b"=" + value for name, value in told.items() if name in names))) + b"\r\n"


def _address(address: str) -> bytes:
    parsed = ip_address(address)
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return (b"IPV6:" if parsed.version == 6 else b"") + str(parsed).encode("ascii")
