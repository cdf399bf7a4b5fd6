"""A header field of 150,000 octets."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope().data(message(fields=("X-Long: " + "x" * 150_000,))).mail(2).quit()
    return capture(dialogue.flow()).gzipped()
