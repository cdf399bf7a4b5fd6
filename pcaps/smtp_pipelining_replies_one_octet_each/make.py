"""Replies in pieces."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet()
        .c("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@corp.example>", "RCPT TO:<no@corp.example>", "DATA")
    )
    dialogue.s("250-2.1.0 first", "250 2.1.0 second").s("250 Ok").s("550-5.1.1 no", "550 5.1.1 such user").s("354 Go")
    dialogue.c_raw(stuffed(message())).s("250 Ok").quit()
    return capture(dialogue.flow(mss=3))
