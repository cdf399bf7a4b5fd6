"""The capture ends in a body."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA").s("354 Go").c_raw(message()[:-5])
    return capture(dialogue.flow(close=None))
