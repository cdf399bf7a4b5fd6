"""A big-endian pcap file with nanosecond times."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), nanoseconds=True, order=">")
