"""Replies of several lines with enhanced codes."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("250 2.1.0 Ok")
        .c("RCPT TO:<no@corp.example>")
        .s("550-5.7.1 Your mail", "550-5.7.1 was refused,", "550-5.7.1 for reasons", "550 5.7.1 of policy")
        .quit()
    )
    return capture(dialogue.flow())
