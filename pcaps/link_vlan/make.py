"""An 802.1Q tag."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), wrap=(frames.vlan(100, priority=5),))
