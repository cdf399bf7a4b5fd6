"""The DATA command is lost."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.three().flow().lose(lambda segment: segment.payload == b"DATA\r\n"))
