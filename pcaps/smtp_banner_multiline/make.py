"""A banner of many lines."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("220-mx.corp.example ESMTP", *["220-No spam please."] * 20, "220 ready")
        .c("EHLO a.example")
        .s("250-mx.corp.example", "250 SIZE")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
