"""The capture starts at DATA."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue().greet().mail(1).mail(2).quit().flow().since(b"DATA"))
