"""Linux cooked capture, version 2."""

from tests.builders import Capture, Dialogue, capture, frames


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), link=frames.SLL2)
