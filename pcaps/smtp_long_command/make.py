"""A command line of 20,000 octets."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("XLONG " + "x" * 20_000).s("500 5.5.2 Line too long").envelope().data().quit()
    return capture(dialogue.flow())
