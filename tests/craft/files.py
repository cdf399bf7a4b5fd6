"""Frames into capture files: pcap, pcapng, gzip, zstd. Written here so that a test can also write them wrong."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from struct import pack
from typing import Literal, NamedTuple

from tests.craft.frames import Frame

Order = Literal["<", ">"]


def pcap(
    frames: Sequence[Frame], *, nanoseconds: bool = False, order: Order = "<", link_number: int | None = None
) -> bytes:
    """A pcap file (draft-ietf-opsawg-pcap). Its one link type is *link_number*, else that of the first frame."""
    magic, unit = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    number = link_number if link_number is not None else frames[0].link_number if frames else 1
    parts = [pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262_144, number)]
    for at_ns, _, octets, original in frames:
        seconds, rest = divmod(at_ns, 1_000_000_000)
        parts += (pack(f"{order}IIII", seconds, rest // unit, len(octets), original), octets)
    return b"".join(parts)


class Interface(NamedTuple):
    """A pcapng interface: link type, ticks per second as `if_tsresol` says it, offset in seconds, snap length."""

    link_number: int = 1
    resolution: int | None = None
    """The octet of `if_tsresol`: 9 is nanoseconds, 0x80 | 20 is 2**-20 s; None leaves it out (microseconds)."""
    offset_s: int = 0
    snaplen: int = 262_144


def block(kind: int, body: bytes, order: Order = "<") -> bytes:
    """A pcapng block: type, length, body padded to four octets, length again."""
    body += b"\0" * (-len(body) % 4)
    length = pack(f"{order}I", len(body) + 12)
    return pack(f"{order}I", kind) + length + body + length


def option(code: int, value: bytes, order: Order = "<") -> bytes:
    """A pcapng option, padded to four octets."""
    return pack(f"{order}HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def section(order: Order = "<", *, options: bytes = b"") -> bytes:
    """A section header block of unknown section length."""
    return block(0x0A0D0D0A, pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def interface(described: Interface, order: Order = "<") -> bytes:
    """An interface description block."""
    options = b""
    if described.resolution is not None:
        options += option(9, bytes([described.resolution]), order)
    if described.offset_s:
        options += option(14, pack(f"{order}q", described.offset_s), order)
    options += option(0, b"", order) if options else b""
    return block(1, pack(f"{order}HHI", described.link_number, 0, described.snaplen) + options, order)


def ticks(at_ns: int, described: Interface) -> int:
    """Packet time in the units of an interface, rounded up so that whole microseconds survive a binary resolution."""
    since = at_ns - described.offset_s * 1_000_000_000
    resolution = 6 if described.resolution is None else described.resolution
    per_second = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    return -(-since * per_second // 1_000_000_000)


def enhanced(frame: Frame, number: int, described: Interface, order: Order = "<", *, options: bytes = b"") -> bytes:
    """An enhanced packet block."""
    at = ticks(frame.at_ns, described)
    fixed = pack(f"{order}IIIII", number, at >> 32, at & 0xFFFFFFFF, len(frame.octets), frame.original_octets)
    padded = frame.octets + b"\0" * (-len(frame.octets) % 4)
    return block(6, fixed + padded + options, order)


def simple(frame: Frame, order: Order = "<") -> bytes:
    """A simple packet block: no time, interface 0."""
    return block(3, pack(f"{order}I", frame.original_octets) + frame.octets, order)


def obsolete(frame: Frame, number: int, described: Interface, order: Order = "<") -> bytes:
    """The packet block that the enhanced one replaced; it still counts the packets dropped before it."""
    at = ticks(frame.at_ns, described)
    fixed = pack(f"{order}HHIIII", number, 0, at >> 32, at & 0xFFFFFFFF, len(frame.octets), frame.original_octets)
    return block(2, fixed + frame.octets, order)


def pcapng(frames: Iterable[Frame], *, order: Order = "<", described: Interface | None = None) -> bytes:
    """One section, an interface per link type in order of appearance, an enhanced packet block per frame."""
    parts, numbers = [section(order)], dict[int, int]()
    for frame in frames:
        kind = described or Interface(frame.link_number)
        if frame.link_number not in numbers:
            numbers[frame.link_number] = len(numbers)
            parts.append(interface(kind._replace(link_number=frame.link_number), order))
        parts.append(enhanced(frame, numbers[frame.link_number], kind, order))
    return b"".join(parts)


def gzipped(octets: bytes, members: int = 1) -> bytes:
    """*octets* in that many gzip members (RFC 1952 2.2), with no time in their headers."""
    size = -(-len(octets) // members) or 1
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)] or [b""]
    return b"".join(gzip.compress(piece, 6, mtime=0) for piece in pieces)


def zstandard(octets: bytes, frame_octets: int = 1 << 20) -> bytes:
    """*octets* in zstd frames of raw blocks (RFC 8878 3.1.1): valid for every decoder, and needs no library."""
    return b"".join(_zstd_frame(octets[at : at + frame_octets]) for at in range(0, len(octets), frame_octets))


def _zstd_frame(octets: bytes, block_octets: int = 65_536) -> bytes:
    # Single segment, content size in four octets: descriptor 0b10_1_00000.
    parts = [pack("<IBI", 0xFD2FB528, 0xA0, len(octets))]
    for at in range(0, len(octets), block_octets):
        piece = octets[at : at + block_octets]
        last = at + block_octets >= len(octets)
        parts += ((len(piece) << 3 | last).to_bytes(3, "little"), piece)
    return b"".join(parts)
