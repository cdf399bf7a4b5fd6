"""Connection lost after banner."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().s("220 mx")
    return capture(dialogue.flow())
