"""A big-endian pcapng file."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), form="pcapng", order=">")
