"""Mail on port 2525."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(port=2525))
