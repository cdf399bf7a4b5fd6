"""An Ethernet pseudowire over MPLS."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), wrap=(frames.mpls(16, 17, pseudowire=True),))
