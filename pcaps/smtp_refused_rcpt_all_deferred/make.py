"""All recipients refused for now."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>")
        .s("250 Ok")
        .c("RCPT TO:<bob@corp.example>")
        .s("450 4.2.0 Greylisted, come again")
        .quit()
    )
    return capture(dialogue.flow())
