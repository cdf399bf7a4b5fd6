"""XFORWARD."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(
            extensions=(
                "PIPELINING",
                "XCLIENT NAME ADDR PORT PROTO HELO LOGIN",
                "XFORWARD NAME ADDR PORT PROTO HELO SOURCE",
            )
        )
        .c("XFORWARD NAME=real.example ADDR=198.51.100.77 PORT=50000")
        .s("250 Ok")
        .c("XFORWARD PROTO=ESMTP HELO=real.example SOURCE=REMOTE")
        .s("250 Ok")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
