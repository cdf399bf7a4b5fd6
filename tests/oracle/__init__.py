"""
The second opinion: dpkt, a reassembly that sorts, a reader that takes commands and replies in turn, and ``email``.

Slow, simple, plainly right, for captures that are whole: Ethernet, IP, TCP from its SYN on, nothing lost. It knows
nothing of the sensor, so that where the two agree on random dialogues, both understood them.
"""

from tests.oracle.dialogue import read_session
from tests.oracle.reassembly import Streams, streams_of

Record = dict[str, object]

__all__ = ["Record", "Streams", "read_capture", "read_session", "streams_of"]


def read_capture(octets: bytes) -> list[Record]:
    """The transactions of a whole pcap or pcapng file, flow by flow in order of their first SYN."""
    records: list[Record] = []
    for streams in streams_of(octets):
        records += read_session(streams.client, streams.server)
    return records
