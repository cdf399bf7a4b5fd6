"""421 that answers no command."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().wait(300).s("421 4.4.2 Timeout exceeded").fin("s")
    return capture(dialogue.flow())
