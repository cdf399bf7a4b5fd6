"""BDAT with one chunk."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().bdat(message(), last=True).quit()
    return capture(dialogue.flow())
