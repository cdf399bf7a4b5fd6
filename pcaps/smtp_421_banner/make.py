"""421 instead of a banner."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().s("421 4.3.2 Too busy").fin("s")
    return capture(dialogue.flow())
