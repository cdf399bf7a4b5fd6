"""A capture without packets."""

from tests.builders import Capture, files


def make() -> Capture:
    """See README.md."""
    return Capture(files.pcap([]), story="(nothing)")
