"""421 in answer to EHLO."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().s("220 mx ESMTP").c("EHLO a.example").s("421 4.7.0 Go away").fin("s")
    return capture(dialogue.flow())
