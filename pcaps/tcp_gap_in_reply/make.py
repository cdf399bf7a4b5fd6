"""A segment lost inside the EHLO reply."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow().cut(b"250-PIPELINING", 30, 90).lose("s2.1"))
