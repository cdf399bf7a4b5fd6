"""A NUL octet in a command."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>\0X=1").s("501 5.5.4 Syntax").envelope().data().quit()
    return capture(dialogue.flow())
