"""451 after the final dot."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(reply="451 4.3.0 Disk full").mail(2).quit()
    return capture(dialogue.flow())
