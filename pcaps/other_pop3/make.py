"""POP3."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("+OK ready")
        .c("USER ann")
        .s("+OK")
        .c("PASS PLANTED-SECRET-pop3-7f3a")
        .s("+OK")
        .c("RETR 1")
        .s("+OK")
        .s_raw(stuffed(message()))
        .c("QUIT")
        .s("+OK")
    )
    return capture(dialogue.flow(port=110))
