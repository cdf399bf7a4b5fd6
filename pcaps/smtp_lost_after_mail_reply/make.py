"""Connection lost after mail reply."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>").s("250 Ok")
    return capture(dialogue.flow())
