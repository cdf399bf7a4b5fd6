"""Content sent ahead of the 354."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().greet().c("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@corp.example>").s("250 Ok", "250 Ok")
    dialogue.c_raw(b"DATA\r\n" + stuffed(message()) + b"QUIT\r\n").s("354 Go").s("250 Ok").s("221 Bye")
    return capture(dialogue.flow())
