"""554 after the final dot."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(reply="554 5.7.1 Spam").mail(2).quit()
    return capture(dialogue.flow())
