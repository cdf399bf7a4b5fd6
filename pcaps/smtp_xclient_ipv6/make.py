"""XCLIENT with an IPv6 address."""

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
        .c("XCLIENT ADDR=IPV6:2001:db8::77 NAME=[UNAVAILABLE]")
        .s("220 mx")
        .c("EHLO real.example")
        .s("250 mx")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
