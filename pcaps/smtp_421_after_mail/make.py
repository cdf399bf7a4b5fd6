"""421 in answer to MAIL."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>").s("421 4.7.0 Too many").fin("s")
    return capture(dialogue.flow())
