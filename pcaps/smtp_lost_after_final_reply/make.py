"""Connection lost after final reply."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data()
    return capture(dialogue.flow())
