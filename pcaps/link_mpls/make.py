"""An MPLS label stack."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), wrap=(frames.mpls(16, 1048575),))
