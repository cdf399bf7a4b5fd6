"""RCPT before MAIL, DATA before RCPT."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("RCPT TO:<early@corp.example>")
        .s("503 5.5.1 Need MAIL")
        .c("DATA")
        .s("503 5.5.1 Need MAIL")
        .c("MAIL FROM:<ann@a.example>")
        .s("250 Ok")
        .c("DATA")
        .s("503 5.5.1 Need RCPT")
        .c("RCPT TO:<bob@corp.example>")
        .s("250 Ok")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
