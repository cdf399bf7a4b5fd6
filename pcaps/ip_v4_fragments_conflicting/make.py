"""IPv4 fragments that overlap with different octets."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue().greet().mail(1, body="fragment me\r\n" * 90).mail(2).quit().flow(),
        wrap=(frames.fragments(512, 1024, shift=64, conflicting=True),),
    )
