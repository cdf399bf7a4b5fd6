"""MAIL refused for good."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>").s("550 5.7.1 Not from you").quit()
    return capture(dialogue.flow())
