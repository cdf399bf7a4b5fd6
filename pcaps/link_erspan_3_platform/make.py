"""ERSPAN type III with its platform subheader."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), wrap=(frames.erspan(3, platform=True),))
