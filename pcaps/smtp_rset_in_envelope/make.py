"""RSET after the recipients."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().envelope("probe@a.example", "bob@corp.example").c("RSET").s("250 Ok").mail(2).quit()
    return capture(dialogue.flow())
