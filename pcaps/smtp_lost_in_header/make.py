"""Connection lost in header."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA").s("354 Go").c_raw(message()[:30])
    return capture(dialogue.flow())
