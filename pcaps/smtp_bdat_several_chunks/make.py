"""BDAT in several chunks."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    content = message()
    dialogue = (
        Dialogue().greet().envelope().bdat(content[:37]).bdat(content[37:120]).bdat(content[120:], last=True).quit()
    )
    return capture(dialogue.flow())
