"""IPv6 fragments."""

from tests.builders import CLIENT6, SERVER6, Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue().greet().mail(1, body="fragment me\r\n" * 90).mail(2).quit().flow(client=CLIENT6, server=SERVER6),
        wrap=(frames.fragments(512, 1024),),
    )
