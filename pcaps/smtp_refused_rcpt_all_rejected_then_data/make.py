"""All recipients refused, and DATA all the same."""

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
        .c("DATA")
        .s("554 5.5.1 No valid recipients")
        .quit()
    )
    return capture(dialogue.flow())
