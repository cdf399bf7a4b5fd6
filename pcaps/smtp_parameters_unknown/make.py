"""Parameters that no RFC names."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example> size=99 XSHADOW=0f1e-2d3c XMESSAGECONTEXT=abc")
        .s("250 Ok")
        .c("RCPT TO:<bob@corp.example> XRDST=x")
        .s("250 Ok")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
