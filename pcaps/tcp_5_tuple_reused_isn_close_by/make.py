"""The same ports used again with sequence numbers close by."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    first = Dialogue().greet().mail(1).quit().flow()
    second = Dialogue().greet("EHLO second.example").mail(2).quit().flow(isn=(1_001_000, 7_002_000))
    return capture(first.then(second, after_s=5))
