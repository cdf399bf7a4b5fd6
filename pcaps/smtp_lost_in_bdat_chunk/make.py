"""Connection lost in bdat chunk."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().c_raw(b"BDAT 500 LAST\r\n" + message())
    return capture(dialogue.flow())
