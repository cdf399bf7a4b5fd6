"""Segments out of order."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue().greet().mail(1, body="big mail\r\n" * 900).mail(2).quit().flow().swap("c5", "c6").swap("c8", "c9")
    )
