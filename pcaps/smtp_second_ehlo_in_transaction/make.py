"""EHLO in the middle of an envelope."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .envelope("first@a.example", "lost@corp.example")
        .c("EHLO b.example")
        .s("250-mx", "250 SIZE")
        .mail(2)
        .quit()
    )
    return capture(dialogue.flow())
