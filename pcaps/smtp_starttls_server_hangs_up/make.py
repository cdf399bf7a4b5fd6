"""STARTTLS accepted, and the connection ends."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("STARTTLS").s("220 Go").fin("s")
    return capture(dialogue.flow())
