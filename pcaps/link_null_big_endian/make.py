"""BSD loopback of a big-endian machine in a little-endian file."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), link=frames.NULL_BIG_ENDIAN)
