"""The same ports used again, and no close was seen."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    first = Dialogue().greet().mail(1).envelope("lost@a.example").flow(close=None)
    return capture(
        first.then(
            Dialogue().greet("EHLO second.example").mail(2).quit().flow(isn=(90_000_000, 4_000_000_000)), after_s=60
        )
    )
