"""XCLIENT refused."""

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
        .c("XCLIENT ADDR=198.51.100.77")
        .s("550 5.7.0 Insufficient authorization")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
