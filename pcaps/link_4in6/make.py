"""IPv4 in IPv6."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), wrap=(frames.in_ip("2001:db8:f::1", "2001:db8:f::2"),))
