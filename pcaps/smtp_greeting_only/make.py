"""A session without a mail."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("NOOP").s("250 Ok").quit()
    return capture(dialogue.flow())
