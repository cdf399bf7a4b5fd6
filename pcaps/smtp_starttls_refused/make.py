"""STARTTLS refused, and on in clear."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("STARTTLS").s("454 4.7.0 TLS not available").envelope().data().quit()
    return capture(dialogue.flow())
