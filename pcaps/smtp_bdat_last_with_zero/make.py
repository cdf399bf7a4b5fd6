"""BDAT 0 LAST."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().bdat(message()).bdat(b"", last=True).quit()
    return capture(dialogue.flow())
