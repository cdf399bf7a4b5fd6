"""Only the client's half of the handshake was seen."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow().lose("s.syn"))
