"""The reply to the content is lost."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.three().flow().lose("s6"))
