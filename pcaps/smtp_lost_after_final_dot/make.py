"""Connection lost after final dot."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(reply=None)
    return capture(dialogue.flow())
