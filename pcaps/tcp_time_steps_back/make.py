"""Packet time steps back by an hour."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1).mail(2).quit().flow()
    at = flow.index(b"MAIL FROM:<from2")
    flow.segments = [
        s._replace(at_ns=s.at_ns - 3_600_000_000_000 * (place >= at)) for place, s in enumerate(flow.segments)
    ]
    return capture(flow)
