"""QUIT after the recipients."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().quit()
    return capture(dialogue.flow())
