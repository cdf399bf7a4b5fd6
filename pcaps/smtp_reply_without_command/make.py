"""A reply too many."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("250 Ok")
        .c("RCPT TO:<bob@corp.example>")
        .s("250 Ok")
        .s("250 Ok again")
        .wait(1)
        .data()
        .quit()
    )
    return capture(dialogue.flow())
