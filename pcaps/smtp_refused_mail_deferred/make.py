"""MAIL refused for now."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>").s("451 4.7.1 Greylisted").quit()
    return capture(dialogue.flow())
