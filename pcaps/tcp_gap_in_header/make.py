"""One segment lost inside the header section."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.three().flow().cut(b"Subject: Mail 1", 40, 60).lose("c5.1"))
