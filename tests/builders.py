"""
Captures from conversations: dialogue -> segments -> frames -> file, so that a test states one in three lines.

    flow = Dialogue().greet().envelope("ann@a.example").data().quit().flow().lose(b"RCPT")
    capture(flow).write(path)

The parts live in ``tests.craft``; here they are joined, and everything a test needs is named in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.craft import files, frames, tls
from tests.craft.dialogue import EXTENSIONS, Dialogue, Turn, lines, message, stuffed
from tests.craft.flow import (
    ACK,
    CLIENT,
    CLIENT6,
    EPOCH_NS,
    FIN,
    MODULUS,
    PSH,
    RST,
    SERVER,
    SERVER6,
    SYN,
    URG,
    Endpoint,
    Flow,
    Segment,
    flow_of,
)
from tests.craft.frames import ETHERNET, Frame, Layer, Link, frames_of

__all__ = [
    "ACK",
    "CLIENT",
    "CLIENT6",
    "EPOCH_NS",
    "ETHERNET",
    "EXTENSIONS",
    "FIN",
    "MODULUS",
    "PSH",
    "RST",
    "SERVER",
    "SERVER6",
    "SYN",
    "URG",
    "Capture",
    "Dialogue",
    "Endpoint",
    "Flow",
    "Frame",
    "Layer",
    "Link",
    "Segment",
    "Turn",
    "capture",
    "files",
    "flow_of",
    "frames",
    "frames_of",
    "lines",
    "message",
    "stuffed",
    "tls",
]

Format = Literal["pcap", "pcapng"]


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture file in memory: its octets, the suffix its name should have, and its story for people."""

    octets: bytes
    suffix: str = ".pcap"
    story: str = ""

    def write(self, path: Path) -> Path:
        """Writes the file at *path* as it is named and returns it."""
        path.write_bytes(self.octets)
        return path

    def gzipped(self, members: int = 1) -> Capture:
        """The same file compressed by gzip."""
        return Capture(files.gzipped(self.octets, members), self.suffix + ".gz", self.story)

    def zstandard(self, frame_octets: int = 1 << 20) -> Capture:
        """The same file in zstd frames."""
        return Capture(files.zstandard(self.octets, frame_octets), self.suffix + ".zst", self.story)

    def edited(self, octets: bytes, note: str) -> Capture:
        """Other octets under the same story, with a line about what was done to them."""
        return Capture(octets, self.suffix, f"{self.story}\n-- {note}")


def capture(
    flow: Flow,
    *,
    wrap: tuple[Layer, ...] = (),
    link: Link = ETHERNET,
    snaplen: int = 262_144,
    form: Format = "pcap",
    nanoseconds: bool = False,
    order: files.Order = "<",
) -> Capture:
    """The capture file of *flow*: layers from the inside out, then the link type, then the file format."""
    made = frames_of(flow.segments, wrap, link, snaplen)
    if form == "pcap":
        return Capture(files.pcap(made, nanoseconds=nanoseconds, order=order), story=flow.story())
    described = files.Interface(resolution=9) if nanoseconds else None
    return Capture(files.pcapng(made, order=order, described=described), ".pcapng", flow.story())
