"""Nine minutes of silence between two mails."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue().greet().mail(1).wait(540).mail(2).quit().flow())
