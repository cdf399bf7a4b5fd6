"""A pcap file written by a big-endian machine."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), order=">")
