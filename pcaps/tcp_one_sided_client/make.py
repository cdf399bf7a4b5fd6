"""Only the client is mirrored."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.three().flow().only("c"))
