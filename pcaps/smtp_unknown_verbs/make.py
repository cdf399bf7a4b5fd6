"""Unknown verbs between known ones, pipelined."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>", "XFOO bar", "RCPT TO:<no@corp.example>", "XBAR", "RCPT TO:<bob@corp.example>")
    )
    dialogue.s("250 Ok").s("500 5.5.2 What?").s("550 5.1.1 No").s("250 bar").s("250 Ok").data().quit()
    return capture(dialogue.flow())
