"""TCP streams out of a whole capture: collect by sequence number, sort, join."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import dpkt  # type: ignore[import-untyped]

MODULUS = 1 << 32
Ends = tuple[bytes, int, bytes, int]


@dataclass
class Streams:
    """Both streams of one connection; the client is who sent the SYN."""

    client: bytes
    server: bytes


@dataclass
class _Half:
    isn: int
    octets: dict[int, int] = field(default_factory=dict)

    def take(self, seq: int, payload: bytes) -> None:
        """Stores each octet at its offset; the first copy wins."""
        start = (seq - self.isn - 1) % MODULUS
        for place, octet in enumerate(payload):
            self.octets.setdefault(start + place, octet)

    def stream(self) -> bytes:
        """The octets from 0 on; a hole is an error, since only whole captures are read here."""
        if sorted(self.octets) != list(range(len(self.octets))):
            raise ValueError("the capture is not whole")
        return bytes(self.octets[at] for at in range(len(self.octets)))


def streams_of(octets: bytes) -> list[Streams]:
    """The connections of a pcap or pcapng file in order of their SYNs. A 5-tuple used again is a ValueError."""
    opened: list[Ends] = []
    halves: dict[Ends, _Half] = {}
    segments = list(_segments(octets))
    # A reordered capture may show data before its SYN, so the connections are opened first.
    for ends, tcp in segments:
        if not tcp.flags & dpkt.tcp.TH_SYN:
            continue
        if halves.setdefault(ends, _Half(tcp.seq)).isn != tcp.seq:
            raise ValueError("a 5-tuple is used again")
        if not tcp.flags & dpkt.tcp.TH_ACK and ends not in opened:
            opened.append(ends)
    for ends, tcp in segments:
        if ends in halves:
            halves[ends].take(tcp.seq, bytes(tcp.data))
    return [
        Streams(client.stream(), server.stream())
        for client, server in ((halves[ends], halves.get(_turned(ends), _Half(0))) for ends in opened)
    ]


def _turned(ends: Ends) -> Ends:
    return (ends[2], ends[3], ends[0], ends[1])


def _segments(octets: bytes) -> Iterator[tuple[Ends, dpkt.tcp.TCP]]:
    pcapng = octets.startswith(b"\x0a\x0d\x0d\x0a")
    reader = (dpkt.pcapng.Reader if pcapng else dpkt.pcap.Reader)(io.BytesIO(octets))
    for _, frame in reader:
        packet = dpkt.ethernet.Ethernet(frame).data
        if isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) and isinstance(packet.data, dpkt.tcp.TCP):
            tcp = packet.data
            yield (packet.src, tcp.sport, packet.dst, tcp.dport), tcp
