"""
Segments into frames: TCP and IP headers, and every wrapping a span port delivers.

A :data:`Layer` takes packets and gives packets, so that layers stack in any order, innermost first:
``wrap=(vlan(7), vxlan(5))`` is a VLAN-tagged frame inside VXLAN. The link type, outermost, is chosen apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count, pairwise
from struct import Struct, pack
from typing import NamedTuple

from tests.craft.flow import MODULUS, Endpoint, Segment, _packed

IPV4, IPV6, VLAN, QINQ, MPLS, PPPOE = 0x0800, 0x86DD, 0x8100, 0x88A8, 0x8847, 0x8864
BRIDGED = 0x6558
"""A whole Ethernet frame as payload (Transparent Ethernet Bridging, RFC 1701)."""
TCP, UDP, GRE = 6, 17, 47
OUTER = (Endpoint("192.0.2.201", 50001), Endpoint("192.0.2.202", 0))
"""Ends of the made tunnels."""

CLIENT_MAC, SERVER_MAC = bytes.fromhex("02005e000001"), bytes.fromhex("02005e000002")


class Packet(NamedTuple):
    """Octets and what they are: an ethertype, or :data:`BRIDGED` for a whole Ethernet frame."""

    kind: int
    octets: bytes


Layer = Callable[[Packet], list[Packet]]

_TCP = Struct("!HHIIBBHHH")
_IPV4 = Struct("!BBHHHBBH4s4s")


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071): one's complement sums are remainders of 65535."""
    if len(octets) % 2:
        octets += b"\0"
    return (0xFFFF - int.from_bytes(octets) % 0xFFFF) % 0xFFFF


# ---- TCP in IP


def tcp_octets(segment: Segment) -> bytes:
    """TCP header, options padded to four octets, payload; the checksum is right unless the segment says otherwise."""
    options = segment.options + b"\0" * (-len(segment.options) % 4)
    offset = (20 + len(options)) << 2
    ports = (segment.source.port, segment.destination.port)
    numbers = (segment.seq % MODULUS, segment.ack % MODULUS)
    header = _TCP.pack(*ports, *numbers, offset, segment.flags, segment.window, 0, 0) + options
    octets = header + segment.payload
    pseudo = segment.source.packed + segment.destination.packed + pack("!HH", TCP, len(octets))
    total = checksum(pseudo + octets) ^ segment.checksum_error
    return octets[:16] + total.to_bytes(2) + octets[18:]


def ip_packet(segment: Segment, *, identification: int = 0) -> Packet:
    """The segment in the IP version of its addresses."""
    return ip(segment.source.address, segment.destination.address, TCP, tcp_octets(segment), identification)


def ip(source: str, destination: str, protocol: int, payload: bytes, identification: int = 0) -> Packet:
    """An IPv4 or IPv6 packet without options."""
    if ":" in source:
        return ipv6_packet(_packed(source), _packed(destination), protocol, payload)
    return ipv4_packet(_packed(source), _packed(destination), protocol, payload, identification)


def ipv4_packet(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload: bytes,
    identification: int = 0,
    *,
    fragment: int = 0x4000,
    options: bytes = b"",
    total_octets: int | None = None,
) -> Packet:
    """RFC 791 3.1. *fragment* is the field of flags and offset; *total_octets* lies about the length."""
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if total_octets is None else total_octets
    fixed = (0x40 | words, 0, total, identification & 0xFFFF, fragment, 64, protocol)
    header = _IPV4.pack(*fixed, 0, source, destination) + options
    return Packet(IPV4, header[:10] + checksum(header).to_bytes(2) + header[12:] + payload)


def ipv6_packet(source: bytes, destination: bytes, next_header: int, payload: bytes) -> Packet:
    """RFC 8200 3."""
    return Packet(IPV6, pack("!IHBB", 0x60000000, len(payload), next_header, 64) + source + destination + payload)


# ---- layers inside IP


def ipv4_options(options: bytes = b"\x94\x04\0\0") -> Layer:
    """IPv4 options (RFC 791 3.1; by default a router alert) behind the fixed header."""

    def wrap(packet: Packet) -> list[Packet]:
        octets = packet.octets
        return [ipv4_packet(octets[12:16], octets[16:20], octets[9], octets[20:], options=options)]

    return wrap


def ipv4_total_zero(packet: Packet) -> list[Packet]:
    """Total length 0, as a capture on a host with segmentation offload shows it."""
    octets = packet.octets
    return [ipv4_packet(octets[12:16], octets[16:20], octets[9], octets[20:], total_octets=0)]


def ipv6_extensions(*headers: tuple[int, bytes]) -> Layer:
    """Extension headers (RFC 8200 4), each (its number, its octets but for the next-header octet)."""

    def wrap(packet: Packet) -> list[Packet]:
        octets, next_header, chain = packet.octets, packet.octets[6], b""
        for number, body in reversed(headers):
            chain = bytes([next_header]) + body + chain
            next_header = number
        return [ipv6_packet(octets[8:24], octets[24:40], next_header, chain + octets[40:])]

    return wrap


HOP_BY_HOP = (0, b"\x00\x01\x04\0\0\0\0")
ROUTING = (43, b"\x02\x04\0\0\0\0\0" + _packed("2001:db8:b::25"))
"""A segment routing header at its last segment (RFC 8754 2)."""
DESTINATION_OPTIONS = (60, b"\x00\x01\x04\0\0\0\0")
AUTHENTICATION = (51, b"\x04\0\0\0\0\x01\x02\0\0\0\x01" + b"\xaa" * 12)
"""RFC 4302: its length counts words of four octets less two."""


def fragments(*at: int, order: tuple[int, ...] = (), shift: int = 0, conflicting: bool = False) -> Layer:
    """
    IP fragments cut at these payload offsets (multiples of 8), shown in *order*; packets too short stay whole.

    Each further fragment starts *shift* octets early, so that so many octets overlap its predecessor's: equal ones,
    or *conflicting* ones.
    """
    numbers = count(0x1000)

    def wrap(packet: Packet) -> list[Packet]:
        header = 20 if packet.kind == IPV4 else 40
        payload = packet.octets[header:]
        edges = [0, *(edge for edge in at if edge < len(payload)), len(payload)]
        if len(edges) == 2:
            return [packet]
        number = next(numbers)
        pieces = [
            _fragment(packet, number, start - (shift if start else 0), end, last=end == len(payload))
            for start, end in pairwise(edges)
        ]
        if conflicting:
            pieces[1:] = [_overwritten(piece, shift) for piece in pieces[1:]]
        return [pieces[place] for place in order if place < len(pieces)] if order else pieces

    return wrap


def _overwritten(piece: Packet, octets: int) -> Packet:
    """The fragment with its first payload octets replaced by ``x``."""
    header = 20 if piece.kind == IPV4 else 48
    return Packet(piece.kind, piece.octets[:header] + b"x" * octets + piece.octets[header + octets :])


def _fragment(packet: Packet, number: int, start: int, end: int, *, last: bool) -> Packet:
    octets = packet.octets
    if packet.kind == IPV4:
        field = start // 8 | (0 if last else 0x2000)
        return ipv4_packet(
            octets[12:16], octets[16:20], octets[9], octets[20 + start : 20 + end], number, fragment=field
        )
    extension = pack("!BBHI", octets[6], 0, start | (0 if last else 1), number)
    return ipv6_packet(octets[8:24], octets[24:40], 44, extension + octets[40 + start : 40 + end])


# ---- link-level layers


def ethernet(packet: Packet, source: bytes = CLIENT_MAC, destination: bytes = SERVER_MAC) -> Packet:
    """An Ethernet II frame; a frame stays as it is."""
    if packet.kind == BRIDGED:
        return packet
    return Packet(BRIDGED, destination + source + packet.kind.to_bytes(2) + packet.octets)


def bridged(packet: Packet) -> list[Packet]:
    """An Ethernet frame as the payload of a tunnel that could also carry the bare packet."""
    return [ethernet(packet)]


def ieee_802_3(packet: Packet) -> list[Packet]:
    """An 802.3 frame with LLC and SNAP (RFC 1042): a length where the ethertype would be."""
    body = b"\xaa\xaa\x03\0\0\0" + packet.kind.to_bytes(2) + packet.octets
    return [Packet(BRIDGED, SERVER_MAC + CLIENT_MAC + len(body).to_bytes(2) + body)]


def trailer(padding: bytes = b"\xde\xad\xbe\xef" * 4) -> Layer:
    """Octets behind the IP packet, as padding, a frame check sequence, or a switch's time stamp leave them."""
    return lambda packet: [Packet(packet.kind, packet.octets + padding)]


def vlan(vid: int, tpid: int = VLAN, priority: int = 0) -> Layer:
    """One 802.1Q tag; with *tpid* 0x88A8 or 0x9100 the outer one of QinQ."""

    def wrap(packet: Packet) -> list[Packet]:
        return [Packet(tpid, pack("!HH", priority << 13 | vid, packet.kind) + packet.octets)]

    return wrap


def mpls(*labels: int, pseudowire: bool = False) -> Layer:
    """A label stack (RFC 3032); with *pseudowire* an Ethernet frame behind a control word (RFC 4448)."""

    def wrap(packet: Packet) -> list[Packet]:
        inner = b"\0\0\0\0" + ethernet(packet).octets if pseudowire else packet.octets
        stack = [label << 12 | (place == len(labels) - 1) << 8 | 64 for place, label in enumerate(labels)]
        return [Packet(MPLS, pack(f"!{len(stack)}I", *stack) + inner)]

    return wrap


def pppoe(session: int = 0x11) -> Layer:
    """A PPPoE session (RFC 2516 4) with PPP's own protocol number."""

    def wrap(packet: Packet) -> list[Packet]:
        protocol = 0x0021 if packet.kind == IPV4 else 0x0057
        body = protocol.to_bytes(2) + packet.octets
        return [Packet(PPPOE, pack("!BBHH", 0x11, 0, session, len(body)) + body)]

    return wrap


# ---- tunnels over IP


def in_ip(source: str = OUTER[0].address, destination: str = OUTER[1].address) -> Layer:
    """IP in IP: 4in4 (RFC 2003), 6in4 (RFC 4213), 4in6 and 6in6 (RFC 2473), by the addresses."""

    def wrap(packet: Packet) -> list[Packet]:
        return [ip(source, destination, 4 if packet.kind == IPV4 else 41, packet.octets)]

    return wrap


def gre(*, key: int | None = None, sequence: int | None = None, checksummed: bool = False) -> Layer:
    """GRE (RFC 2784, RFC 2890) over IPv4, around a packet or a frame."""

    def wrap(packet: Packet) -> list[Packet]:
        return [_gre(packet.kind, packet.octets, key=key, sequence=sequence, checksummed=checksummed)]

    return wrap


def _gre(
    protocol: int, octets: bytes, *, key: int | None = None, sequence: int | None = None, checksummed: bool = False
) -> Packet:
    flags = checksummed << 15 | (key is not None) << 13 | (sequence is not None) << 12
    options = b"\0\0\0\0" if checksummed else b""
    options += b"".join(value.to_bytes(4) for value in (key, sequence) if value is not None)
    body = pack("!HH", flags, protocol) + options + octets
    if checksummed:
        body = body[:4] + checksum(body).to_bytes(2) + body[6:]
    return ip(OUTER[0].address, OUTER[1].address, GRE, body)


def erspan(version: int, *, session: int = 5, vid: int = 7, platform: bool = False) -> Layer:
    """
    ERSPAN of type I (bare GRE), II (GRE with sequence number, 8 octets) or III (12 octets, *platform*: 8 more).

    The types and their headers are those of draft-foschiano-erspan-03, 4.
    """
    sequence = count(1)

    def wrap(packet: Packet) -> list[Packet]:
        frame = ethernet(packet).octets
        if version == 1:
            return [_gre(0x88BE, frame)]
        if version == 2:
            header = pack("!HHI", 1 << 12 | vid, session, 3)
            return [_gre(0x88BE, header + frame, sequence=next(sequence))]
        header = pack("!HHIHH", 2 << 12 | vid, session, 0x01020304, 0, int(platform))
        header += b"\x04\0\0\0\0\0\0\x01" if platform else b""
        return [_gre(0x22EB, header + frame, sequence=next(sequence))]

    return wrap


def vxlan(vni: int = 5001, port: int = 4789) -> Layer:
    """VXLAN (RFC 7348 5): a frame in UDP."""

    def wrap(packet: Packet) -> list[Packet]:
        return [_udp(port, pack("!II", 0x08000000, vni << 8) + ethernet(packet).octets)]

    return wrap


def geneve(vni: int = 5001, options: bytes = b"", *, bare: bool = False) -> Layer:
    """GENEVE (RFC 8926 3): a frame in UDP, or with *bare* the packet itself."""

    def wrap(packet: Packet) -> list[Packet]:
        inner = packet if bare else ethernet(packet)
        return [_udp(6081, pack("!BBHI", len(options) // 4, 0, inner.kind, vni << 8) + options + inner.octets)]

    return wrap


def _udp(port: int, payload: bytes) -> Packet:
    header = pack("!HHHH", OUTER[0].port, port, 8 + len(payload), 0)
    return ip(OUTER[0].address, OUTER[1].address, UDP, header + payload)


# ---- the link type of the capture


class Link(NamedTuple):
    """A link type by its LINKTYPE number and the way a packet becomes a frame of it."""

    number: int
    frame: Callable[[Packet], bytes]


def _sll(packet: Packet) -> bytes:
    return pack("!HHH8sH", 0, 1, 6, CLIENT_MAC, packet.kind) + packet.octets


def _sll2(packet: Packet) -> bytes:
    return pack("!HHIHBB8s", packet.kind, 0, 2, 1, 0, 6, CLIENT_MAC) + packet.octets


def _family(order: str, ipv6: int) -> Callable[[Packet], bytes]:
    return lambda packet: pack(f"{order}I", 2 if packet.kind == IPV4 else ipv6) + packet.octets


ETHERNET = Link(1, lambda packet: ethernet(packet).octets)
RAW = Link(101, lambda packet: packet.octets)
RAW_BSD = Link(12, lambda packet: packet.octets)
RAW_IPV4 = Link(228, lambda packet: packet.octets)
RAW_IPV6 = Link(229, lambda packet: packet.octets)
NULL = Link(0, _family("<", 30))
"""BSD loopback of a little-endian machine; 30 is AF_INET6 of macOS."""
NULL_BIG_ENDIAN = Link(0, _family(">", 24))
LOOP = Link(108, _family(">", 24))
SLL = Link(113, _sll)
SLL2 = Link(276, _sll2)


class Frame(NamedTuple):
    """One frame as a capture file holds it."""

    at_ns: int
    link_number: int
    octets: bytes
    original_octets: int


def frames_of(
    segments: Iterable[Segment], wrap: tuple[Layer, ...] = (), link: Link = ETHERNET, snaplen: int = 262_144
) -> list[Frame]:
    """The frames of *segments*, wrapped by the layers from the inside out; fragments come a microsecond apart."""
    made: list[Frame] = []
    for number, segment in enumerate(segments):
        packets = [ip_packet(segment, identification=number)]
        for layer in wrap:
            packets = [outer for packet in packets for outer in layer(packet)]
        for place, packet in enumerate(packets):
            octets = link.frame(packet)
            made.append(Frame(segment.at_ns + place * 1000, link.number, octets[:snaplen], len(octets)))
    return made
