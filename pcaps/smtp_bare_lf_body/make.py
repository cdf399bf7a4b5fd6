"""A body with bare LF."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(message(body="one\ntwo\nthree\r\n")).quit()
    return capture(dialogue.flow())
