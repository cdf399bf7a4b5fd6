"""Three mails in one session."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue.three()
    return capture(dialogue.flow())
