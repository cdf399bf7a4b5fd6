"""A body with bare CR."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(message(body="one\rtwo\rthree\r\n")).quit()
    return capture(dialogue.flow())
