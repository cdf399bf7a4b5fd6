"""Copies of old segments long after the close."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow()
    return capture(
        flow.repeat(b"From: ann", after_ms=900).repeat(b"QUIT", after_ms=1500).repeat("c.fin", after_ms=2000)
    )
