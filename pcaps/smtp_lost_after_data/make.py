"""Connection lost after data."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA")
    return capture(dialogue.flow())
