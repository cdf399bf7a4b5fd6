"""
What both ends of each connection of a capture said, in the order in which somebody between them would have seen it.

For captures whose segments show in that order: every octet of a stream in its place, every segment behind what it
acknowledges. Other connections are left out, for who stands between two ends sees no such thing.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import ip_address

import dpkt  # type: ignore[import-untyped]

MODULUS = 1 << 32
FIN, SYN, RST, ACK = dpkt.tcp.TH_FIN, dpkt.tcp.TH_SYN, dpkt.tcp.TH_RST, dpkt.tcp.TH_ACK

End = tuple[str, int]


@dataclass(frozen=True)
class Turn:
    """Octets that came together."""

    at_ns: int
    from_client: bool
    octets: bytes


@dataclass
class Talk:
    """One connection, from its SYN to its end."""

    client: End
    server: End
    began_ns: int
    turns: list[Turn] = field(default_factory=list)
    ended_ns: int = 0

    @property
    def client_octets(self) -> bytes:
        return b"".join(turn.octets for turn in self.turns if turn.from_client)

    @property
    def server_octets(self) -> bytes:
        return b"".join(turn.octets for turn in self.turns if not turn.from_client)


@dataclass
class _Watched:
    talk: Talk
    expected: dict[bool, int] = field(default_factory=dict)
    finished: set[bool] = field(default_factory=set)
    out_of_order: bool = False
    over: bool = False

    def take(self, at_ns: int, from_client: bool, tcp: dpkt.tcp.TCP) -> None:
        if self.over:
            self.out_of_order |= bool(tcp.flags & SYN)
            return
        payload = bytes(tcp.data)
        if tcp.flags & SYN:
            self.expected.setdefault(from_client, (tcp.seq + 1) % MODULUS)
            self.out_of_order |= bool(payload)
            return
        if tcp.flags & RST:
            self._end(at_ns)
            return
        self.out_of_order |= not {True, False} <= set(self.expected)
        self.out_of_order |= bool(payload or tcp.flags & FIN) and tcp.seq != self.expected.get(from_client)
        self.out_of_order |= bool(tcp.flags & ACK) and _beyond(tcp.ack, self.expected.get(not from_client, tcp.ack))
        if self.out_of_order:
            return
        if payload:
            self.talk.turns.append(Turn(at_ns, from_client, payload))
        self.expected[from_client] = (tcp.seq + len(payload)) % MODULUS if payload else self.expected[from_client]
        if tcp.flags & FIN:
            self.expected[from_client] = (self.expected[from_client] + 1) % MODULUS
            self.finished.add(from_client)
        if len(self.finished) == 2:
            self._end(at_ns)

    def _end(self, at_ns: int) -> None:
        self.over, self.talk.ended_ns = True, at_ns


def _beyond(number: int, expected: int) -> bool:
    """True if *number* lies behind *expected* in the circle of sequence numbers."""
    return 0 < (number - expected) % MODULUS < MODULUS // 2


def talks_of(octets: bytes) -> list[Talk]:
    """The connections that began and ended in the capture, and showed in order. ValueError if it can't be read."""
    watched: dict[frozenset[End], _Watched] = {}
    for at_ns, source, target, tcp in _segments(octets):
        ends = frozenset((source, target))
        if ends not in watched:
            talk = Talk(source, target, at_ns)
            watched[ends] = _Watched(talk, out_of_order=tcp.flags & (SYN | ACK) != SYN)
        each = watched[ends]
        each.take(at_ns, source == each.talk.client, tcp)
    return [each.talk for each in watched.values() if each.over and not each.out_of_order]


def _segments(octets: bytes) -> Iterator[tuple[int, End, End, dpkt.tcp.TCP]]:
    if octets.startswith(b"\x1f\x8b"):
        octets = gzip.decompress(octets)
    pcapng = octets.startswith(b"\x0a\x0d\x0d\x0a")
    try:
        reader = (dpkt.pcapng.Reader if pcapng else dpkt.pcap.Reader)(io.BytesIO(octets))
        if reader.datalink() != dpkt.pcap.DLT_EN10MB:
            return
        frames = list(reader)
    except (dpkt.Error, ValueError, OSError, EOFError) as error:
        raise ValueError(f"dpkt can't read it: {error}") from error
    for at, frame in frames:
        packet = dpkt.ethernet.Ethernet(frame).data
        if isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) and isinstance(packet.data, dpkt.tcp.TCP):
            tcp = packet.data
            at_ns = int(Decimal(str(at)) * 10**9)
            yield at_ns, (_text(packet.src), tcp.sport), (_text(packet.dst), tcp.dport), tcp


def _text(address: bytes) -> str:
    return str(ip_address(address))
