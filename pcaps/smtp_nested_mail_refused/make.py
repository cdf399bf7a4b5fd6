"""A second MAIL in an open envelope, refused."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .envelope()
        .c("MAIL FROM:<second@a.example>")
        .s("503 5.5.1 Sender already specified")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
