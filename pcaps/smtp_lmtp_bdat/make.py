"""LMTP with BDAT."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet("LHLO a.example")
        .envelope("ann@a.example", "r1@corp.example", "r2@corp.example")
        .bdat(message()[:70])
        .bdat(message()[70:], last=True, reply=None)
        .s("250 Ok", "450 4.2.0 Later")
        .quit()
    )
    return capture(dialogue.flow(port=24))
