"""The capture starts with the content."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue().greet().mail(1).mail(2).quit().flow().since(b"Subject: Mail 1"))
