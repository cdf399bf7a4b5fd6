"""The visible part of a TLS session: a ClientHello, perhaps with server name, and records that say nothing."""

from __future__ import annotations

from struct import pack

CIPHERS = bytes.fromhex("130113021303c02bc02f")


def _sized(octets: bytes, width: int) -> bytes:
    return len(octets).to_bytes(width) + octets


def record(kind: int, octets: bytes) -> bytes:
    """A TLS record (RFC 8446 5.1): 22 is a handshake, 23 application data."""
    return pack("!BH", kind, 0x0303) + _sized(octets, 2)


def client_hello(name: str | None = None) -> bytes:
    """A ClientHello (RFC 8446 4.1.2) with server name indication (RFC 6066 3) if *name* is given."""
    extensions = b""
    if name is not None:
        entry = b"\0" + _sized(name.encode(), 2)
        extensions += pack("!H", 0) + _sized(_sized(entry, 2), 2)
    extensions += pack("!H", 43) + _sized(_sized(bytes.fromhex("03040303"), 1), 2)
    random, session = bytes(range(32)), bytes(range(64, 96))
    body = b"\x03\x03" + random + _sized(session, 1) + _sized(CIPHERS, 2) + b"\x01\0" + _sized(extensions, 2)
    return record(22, b"\x01" + _sized(body, 3))


def server_hello() -> bytes:
    """A ServerHello that takes TLS 1.3."""
    extensions = pack("!H", 43) + _sized(b"\x03\x04", 2)
    body = (
        b"\x03\x03" + bytes(range(100, 132)) + _sized(bytes(range(64, 96)), 1) + b"\x13\x01\0" + _sized(extensions, 2)
    )
    return record(22, b"\x02" + _sized(body, 3))


def application_data(octets: int) -> bytes:
    """A record of that many octets, in which every value occurs, those of CR, LF and dots included."""
    return record(23, bytes((place * 167 + 13) % 256 for place in range(octets)))
