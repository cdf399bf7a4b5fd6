"""The capture starts at RCPT."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue().greet().mail(1).mail(2).quit().flow().since(b"RCPT TO:<to1"))
