"""A retransmission that differs from what was read long ago."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow()
    first = flow[b"Subject: Hello"].payload
    return capture(flow.overlap(b"Subject: Hello", first.replace(b"Hello", b"Other"), after_ms=1))
