"""The capture starts at QUIT."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow().since(b"QUIT"))
