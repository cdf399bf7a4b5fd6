"""NOOP, VRFY, EXPN, HELP, ETRN in an envelope."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("VRFY bob")
        .s("252 Maybe")
        .envelope()
        .c("NOOP I am here")
        .s("250 Ok")
        .c("HELP")
        .s("214-First", "214-Second", "214 Third")
        .c("EXPN list")
        .s("550 No")
        .c("ETRN a.example")
        .s("458 No")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
