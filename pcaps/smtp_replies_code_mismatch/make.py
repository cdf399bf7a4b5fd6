"""A reply whose lines carry different codes."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("250 Ok")
        .c("RCPT TO:<bob@corp.example>")
        .s("550-Checking", "250 Ok")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
