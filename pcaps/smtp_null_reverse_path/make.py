"""A bounce."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope("", "bob@corp.example").data().quit()
    return capture(dialogue.flow())
