"""Connection lost after ehlo."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet()
    return capture(dialogue.flow())
