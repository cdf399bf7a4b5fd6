"""The same ports used again after a proper close."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    second = Dialogue().greet("EHLO second.example").mail(2).quit().flow(isn=(90_000_000, 4_000_000_000))
    return capture(Dialogue().greet().mail(1).quit().flow().then(second, after_s=0.2))
