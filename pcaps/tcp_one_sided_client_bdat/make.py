"""Only the client is mirrored, and it sends BDAT."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue().greet().envelope().bdat(message()[:99]).bdat(message()[99:], last=True).quit().flow().only("c")
    )
