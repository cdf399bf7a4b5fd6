"""Pipelining though the server did not announce it."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue().greet(extensions=("8BITMIME",)).c("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@corp.example>", "DATA")
    )
    dialogue.s("250 Ok").s("250 Ok").s("354 Go").c_raw(stuffed(message())).s("250 Ok").quit()
    return capture(dialogue.flow())
