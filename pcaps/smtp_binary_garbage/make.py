"""Octets that are no dialogue between two mails."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().mail(1).c_raw(bytes(range(128, 256)) + b"\r\n").s("500 5.5.2 What?").mail(2).quit()
    return capture(dialogue.flow())
