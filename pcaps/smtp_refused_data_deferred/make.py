"""DATA refused for now."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA").s("451 4.3.0 Try later").quit()
    return capture(dialogue.flow())
