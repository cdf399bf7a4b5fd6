"""Commands that end in a bare LF."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("220 mx")
        .c_raw(b"EHLO a.example\n")
        .s("250 mx")
        .c_raw(b"MAIL FROM:<ann@a.example>\n")
        .s("250 Ok")
        .c_raw(b"RCPT TO:<bob@corp.example>\n")
        .s("250 Ok")
        .c_raw(b"DATA\n")
        .s("354 Go")
        .c_raw(stuffed(message()))
        .s("250 Ok")
        .quit()
    )
    return capture(dialogue.flow())
