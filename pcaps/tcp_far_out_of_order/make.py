"""A segment that comes six segments late."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue().greet().mail(1, body="big mail\r\n" * 900).mail(2).quit().flow().move("c5", before="c12"))
