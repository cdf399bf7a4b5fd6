"""PROXY protocol, version 1."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().c("PROXY TCP4 198.51.100.77 198.51.100.25 51234 25").greet().envelope().data().quit()
    return capture(dialogue.flow())
