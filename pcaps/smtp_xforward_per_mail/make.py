"""XFORWARD for each of two mails."""

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
        .c("XFORWARD ADDR=198.51.100.77")
        .s("250 Ok")
        .mail(1)
        .c("XFORWARD ADDR=198.51.100.78")
        .s("250 Ok")
        .mail(2)
        .quit()
    )
    return capture(dialogue.flow())
