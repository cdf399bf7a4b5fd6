"""A body line of 100,000 octets."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(message(body="x" * 100_000 + "\r\n")).mail(2).quit()
    return capture(dialogue.flow()).gzipped()
