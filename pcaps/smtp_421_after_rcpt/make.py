"""421 in answer to RCPT."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("250 Ok")
        .c("RCPT TO:<bob@corp.example>")
        .s("421 4.7.0 Too many")
        .fin("s")
    )
    return capture(dialogue.flow())
