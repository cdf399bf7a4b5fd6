"""Keep-alives."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().mail(1).wait(75).keepalive("s").wait(75).keepalive("c", b"\0").mail(2).quit()
    return capture(dialogue.flow())
