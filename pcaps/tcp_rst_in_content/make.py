"""RST in the middle of the content."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c("DATA").s("354 Go").c_raw(message()[:150]).rst("c")
    return capture(dialogue.flow())
