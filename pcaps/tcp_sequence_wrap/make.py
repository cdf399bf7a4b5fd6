"""Sequence numbers that wrap in the middle of the content."""

from tests.builders import MODULUS, Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue().greet().mail(1, body="big mail\r\n" * 900).mail(2).quit().flow(isn=(MODULUS - 3000, MODULUS - 200))
    )
