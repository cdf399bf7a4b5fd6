"""One segment lost in the body of mail 1 of 3."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.three("body line\r\n" * 400).flow().lose("c6"))
