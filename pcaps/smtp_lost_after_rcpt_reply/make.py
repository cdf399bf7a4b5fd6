"""Connection lost after rcpt reply."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope()
    return capture(dialogue.flow())
