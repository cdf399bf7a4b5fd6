"""A reply line of 20,000 octets."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("250 " + "x" * 20_000)
        .c("RCPT TO:<bob@corp.example>")
        .s("250 Ok")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
