"""SYN and SYN+ACK come three times."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue.plain().flow().repeat("c.syn", after_ms=0.1, times=2).repeat("s.syn", after_ms=0.1, times=2)
    )
