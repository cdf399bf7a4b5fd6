"""Replies of three digits and nothing else."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("220")
        .c("HELO a.example")
        .s("250")
        .c("MAIL FROM:<ann@a.example>")
        .s("250")
        .c("RCPT TO:<bob@corp.example>")
        .s("250")
        .c("DATA")
        .s("354")
        .c_raw(stuffed(message()))
        .s("250")
        .c("QUIT")
        .s("221")
    )
    return capture(dialogue.flow())
