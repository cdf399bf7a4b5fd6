"""DATA refused for good."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA").s("554 5.7.1 No").quit()
    return capture(dialogue.flow())
