"""421 after the final dot."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(reply="421 4.3.0 Shutting down").fin("s")
    return capture(dialogue.flow())
