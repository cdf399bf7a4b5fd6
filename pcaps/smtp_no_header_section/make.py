"""Content that begins with its body."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .envelope()
        .data(b"\r\nSubject: not a field\r\n")
        .envelope()
        .data(b"\r\n")
        .envelope()
        .data(b"")
        .quit()
    )
    return capture(dialogue.flow())
