"""A snap length that cuts the bodies."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1, body="z" * 4000 + "\r\n").mail(2).quit().flow()
    return capture(flow, snaplen=400)
