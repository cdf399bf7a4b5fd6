"""IPv6 on BSD loopback."""

from tests.builders import CLIENT6, SERVER6, Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(client=CLIENT6, server=SERVER6), link=frames.NULL)
