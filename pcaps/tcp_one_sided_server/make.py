"""Only the server is mirrored."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue().greet().mail(1).mail(2).quit().flow().only("s"))
