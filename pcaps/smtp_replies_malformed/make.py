"""Lines without a code among the replies."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("debug: lookup took 3 ms", "250 Ok")
        .c("RCPT TO:<bob@corp.example>")
        .s("250 Ok")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
