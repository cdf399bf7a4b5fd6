"""XCLIENT."""

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
        .c("XCLIENT NAME=real.example ADDR=198.51.100.77 PROTO=ESMTP HELO=real.example LOGIN=ann")
        .s("220 mx.corp.example ESMTP")
        .c("EHLO real.example")
        .s("250 mx")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
