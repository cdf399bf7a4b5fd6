"""All recipients refused for good."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("250 Ok")
        .c("RCPT TO:<no@corp.example>")
        .s("550 5.1.1 No")
        .c("RCPT TO:<never@corp.example>")
        .s("553 5.1.1 No")
        .c("RSET")
        .s("250 Ok")
        .quit()
    )
    return capture(dialogue.flow())
