"""Connection lost after rcpt."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>").s("250 Ok").c("RCPT TO:<bob@corp.example>")
    return capture(dialogue.flow())
