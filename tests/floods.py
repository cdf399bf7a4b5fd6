"""
Captures too large to keep: pcap records made as they are read, from one connection that says too much or from millions.

Checksums are left at zero, as a capture on a sending host shows them; all else is as the endpoints would send it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.craft import files
from tests.craft.flow import ACK, EPOCH_NS, SYN

HEADER = files.pcap([])
EPOCH_S = EPOCH_NS // 1_000_000_000

# pcap record header, Ethernet, IPv4 and TCP in front of a payload.
_FRONT = struct.Struct("<IIII")
_LINK_IP_TCP = struct.Struct("!6s6sHBBHHHBBHIIHHIIBBHHH")
_ETHERNET_OCTETS, _FRONT_OCTETS = 14, 54
_MACS = bytes.fromhex("02005e000002"), bytes.fromhex("02005e000001")
# Where in a record the client's address and port stand.
_SOURCE, _PORT, _IDENTIFICATION = 16 + 26, 16 + 34, 16 + 18
# Segments as an offloading network card shows them.
MOST_OCTETS = 32_768


def record(
    payload: bytes = b"",
    *,
    client: int = 0x0A000001,
    port: int = 40_000,
    numbers: tuple[int, int] = (0, 0),
    flags: int = ACK,
    from_server: bool = False,
    at_ms: int = 0,
    fragment: int = 0x4000,
    protocol: int = 6,
) -> bytes:
    """One segment between *client* and the mail server 198.51.100.25 as a pcap record; *fragment* is IPv4's field."""
    server = 0xC6336419
    ends = (server, client, 25, port) if from_server else (client, server, port, 25)
    length = _FRONT_OCTETS + len(payload)
    seq, ack = numbers
    front = _FRONT.pack(EPOCH_S + at_ms // 1000, at_ms % 1000 * 1000, length, length)
    ip = (0x45, 0, length - _ETHERNET_OCTETS, 0, fragment, 64, protocol, 0, ends[0], ends[1])
    tcp = (ends[2], ends[3], seq % 2**32, ack % 2**32, 0x50, flags, 64_240, 0, 0)
    return front + _LINK_IP_TCP.pack(*_MACS, 0x0800, *ip, *tcp) + payload


class Talk:
    """One connection, from its handshake on. Each call gives the records of what one side sends."""

    def __init__(self, port: int = 40_000) -> None:
        self._port = port
        self._next = [1, 1]

    def handshake(self) -> bytes:
        """SYN, SYN and ACK, ACK."""
        return (
            record(port=self._port, numbers=(0, 0), flags=SYN)
            + record(port=self._port, numbers=(0, 1), flags=SYN | ACK, from_server=True)
            + record(port=self._port, numbers=(1, 1))
        )

    def client(self, octets: bytes) -> bytes:
        return b"".join(self._send(0, octets))

    def server(self, octets: bytes) -> bytes:
        return b"".join(self._send(1, octets))

    def greet(self) -> bytes:
        """Up to the answer to EHLO."""
        return (
            self.handshake()
            + self.server(b"220 mx.corp.example ESMTP\r\n")
            + self.client(b"EHLO a.example\r\n")
            + self.server(b"250-mx.corp.example\r\n250 PIPELINING\r\n")
        )

    def content(self, *lines: bytes) -> bytes:
        """An envelope in lockstep, DATA, its 354, and the first *lines* of content."""
        said = self.client(b"MAIL FROM:<ann@a.example>\r\n") + self.server(b"250 Ok\r\n")
        said += self.client(b"RCPT TO:<bob@corp.example>\r\n") + self.server(b"250 Ok\r\n")
        said += self.client(b"DATA\r\n") + self.server(b"354 Go on\r\n")
        return said + self.client(b"".join(line + b"\r\n" for line in lines))

    def end(self) -> bytes:
        """End of data, its reply, and a whole mail more: what comes behind a flood is still read."""
        said = self.client(b"\r\n.\r\n") + self.server(b"250 Taken\r\n")
        said += self.content(b"Subject: behind it", b"", b"Hi")
        return said + self.client(b".\r\n") + self.server(b"250 Taken\r\n")

    def _send(self, who: int, octets: bytes) -> Iterator[bytes]:
        for at in range(0, len(octets), MOST_OCTETS):
            piece = octets[at : at + MOST_OCTETS]
            numbers = (self._next[who], self._next[1 - who])
            yield record(piece, port=self._port, numbers=numbers, from_server=who == 1)
            self._next[who] += len(piece)


def from_many_clients(count: int, *records: bytes, per_second: int = 1_000_000) -> Iterator[bytes]:
    """
    The *records* (each from the client) once for each of *count* clients, all with other addresses and ports.

    Made by columns, thousands of clients at a time: in Python anything else takes longer than what is tried.
    """
    each = b"".join(records)
    starts = [sum(map(len, records[:number])) for number in range(len(records))]
    low, high = bytes(range(256)) * 16, bytes(place >> 8 for place in range(4096))
    for first in range(0, count, 4096):
        block = bytearray(each * 4096)
        shared = struct.pack("!I", first >> 12)
        for start in starts:
            seconds = struct.pack("<I", EPOCH_S + first // per_second)
            for place, octet in enumerate(seconds):
                block[start + place :: len(each)] = bytes((octet,)) * 4096
            for place, octet in enumerate(shared[1:]):
                block[start + _SOURCE + 1 + place :: len(each)] = bytes((octet,)) * 4096
            block[start + _PORT :: len(each)] = bytes(0x80 | octet for octet in high)
            block[start + _PORT + 1 :: len(each)] = low
            block[start + _IDENTIFICATION :: len(each)] = high
            block[start + _IDENTIFICATION + 1 :: len(each)] = low
        yield bytes(block[: len(each) * min(4096, count - first)])
