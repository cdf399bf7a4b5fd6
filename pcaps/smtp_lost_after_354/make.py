"""Connection lost after 354."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA").s("354 Go")
    return capture(dialogue.flow())
