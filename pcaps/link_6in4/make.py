"""IPv6 in IPv4."""

from tests.builders import CLIENT6, SERVER6, Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(client=CLIENT6, server=SERVER6), wrap=(frames.in_ip(),))
