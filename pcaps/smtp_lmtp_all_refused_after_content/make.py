"""LMTP: every recipient refused after the content."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet("LHLO a.example")
        .envelope("ann@a.example", "r1@corp.example", "r2@corp.example")
        .data(reply=None)
        .s("552 5.2.2 Quota", "550 5.2.1 Disabled")
        .quit()
    )
    return capture(dialogue.flow(port=24))
