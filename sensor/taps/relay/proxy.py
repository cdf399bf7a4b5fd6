"""
The PROXY protocol (haproxy.org, proxy-protocol.txt, versions 1 and 2): who the client is, before its first octet.

A header is read from trusted peers alone, and from those always: the protocol forbids to guess (section 2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from sensor.taps.relay.identity import Identity

V1_OCTETS = 107
"""The longest header of version 1, its CRLF included (2.1)."""

V2_OCTETS = 4_096
"""The longest of version 2 that is read: addresses take 16 + 216 octets (2.2), extensions seldom more than dozens."""

_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1_START = b"PROXY "
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21


class ProxyError(Exception):
    """What came is no header that may be trusted."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header, and how many octets it took. ``identity`` is none where the proxy speaks for itself."""

    identity: Identity | None
    used: int


def parse(octets: bytes) -> Header | None:
    """The header that *octets* begin with; none while more are needed. Raises ``ProxyError``."""
    if octets.startswith(_V2_SIGNATURE[: len(octets)]):
        return _parse_v2(octets)
    if octets.startswith(_V1_START[: len(octets)]):
        return _parse_v1(octets)
    raise ProxyError("no PROXY header")


def v1(identity: Identity) -> bytes:
    """A header of version 1."""
    family, client, server = _ends(identity)
    name = b"TCP4" if family == _TCP4 else b"TCP6"
    addresses = f"{client} {server} {identity.client[1]} {identity.server[1]}".encode("ascii")
    return _V1_START + name + b" " + addresses + b"\r\n"


def v2(identity: Identity) -> bytes:
    """A header of version 2, without extensions."""
    family, client, server = _ends(identity)
    body = client.packed + server.packed + struct.pack("!HH", identity.client[1], identity.server[1])
    return _V2_SIGNATURE + struct.pack("!BBH", _PROXY, family, len(body)) + body


def _parse_v1(octets: bytes) -> Header | None:
    end = octets.find(b"\r\n", 0, V1_OCTETS) + 2
    if end < 2:
        if len(octets) >= V1_OCTETS:
            raise ProxyError("a header of version 1 without an end")
        return None
    words = octets[: end - 2].split(b" ")
    if words[1:2] == [b"UNKNOWN"]:
        return Header(None, end)
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise ProxyError("a wrong header of version 1")
    client, server = (_address(word, 4 if words[1] == b"TCP4" else 6) for word in words[2:4])
    client_port, server_port = (_port(word) for word in words[4:6])
    return Header(Identity((client, client_port), (server, server_port)), end)


def _parse_v2(octets: bytes) -> Header | None:
    if len(octets) < 16:
        return None
    command, family, length = struct.unpack("!BBH", octets[12:16])
    if 16 + length > V2_OCTETS:
        raise ProxyError("a header of version 2 that is too long")
    if len(octets) < 16 + length:
        return None
    body = octets[16 : 16 + length]
    if command == _LOCAL:
        return Header(None, 16 + length)
    if command != _PROXY:
        raise ProxyError("a header of an unknown version or command")
    if family not in (_TCP4, _TCP6):
        # Unspecified, UDP, UNIX: the peer is all that is known (2.2: "must be accepted").
        return Header(None, 16 + length)
    size = 4 if family == _TCP4 else 16
    if len(body) < 2 * size + 4:
        raise ProxyError("a header of version 2 that is too short")
    client, server = str(ip_address(body[:size])), str(ip_address(body[size : 2 * size]))
    client_port, server_port = struct.unpack("!HH", body[2 * size : 2 * size + 4])
    return Header(Identity((client, client_port), (server, server_port)), 16 + length)


def _address(word: bytes, version: int) -> str:
    try:
        address = ip_address(word.decode("ascii"))
    except ValueError:
        raise ProxyError("a wrong address") from None
    if address.version != version:
        raise ProxyError("an address of the other family")
    return str(address)


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or int(word) > 65_535:
        raise ProxyError("a wrong port")
    return int(word)


def _ends(identity: Identity) -> tuple[int, IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    """Family and addresses; two families become one by mapping (RFC 4291 2.5.5.2)."""
    client, server = _plain(identity.client[0]), _plain(identity.server[0])
    if isinstance(client, IPv4Address) and isinstance(server, IPv4Address):
        return _TCP4, client, server
    return _TCP6, _mapped(client), _mapped(server)


def _plain(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(f"::ffff:{address}") if isinstance(address, IPv4Address) else address
