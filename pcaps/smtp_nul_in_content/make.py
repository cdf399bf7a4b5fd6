"""NUL octets in a body."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(message(body="one\0two\r\n")).mail(2).quit()
    return capture(dialogue.flow())
