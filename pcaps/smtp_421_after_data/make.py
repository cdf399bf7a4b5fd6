"""421 in answer to DATA."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA").s("421 4.3.0 Shutting down").fin("s")
    return capture(dialogue.flow())
