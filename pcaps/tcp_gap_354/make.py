"""The 354 is lost."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.three().flow().lose(b"354 "))
