"""The BDAT command in one segment, its octets in others."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue().greet().envelope().bdat(message(), last=True).quit().flow(mss=7))
