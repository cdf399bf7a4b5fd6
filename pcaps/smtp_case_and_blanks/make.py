"""Commands in any case with blanks around them."""

from tests.builders import Capture, Dialogue, capture, message, stuffed


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("220 mx")
        .c("ehlo a.example ")
        .s("250 mx")
        .c("mail from:<ann@a.example>  ")
        .s("250 Ok")
        .c("Rcpt To:<bob@corp.example>")
        .s("250 Ok")
        .c("data")
        .s("354 Go")
        .c_raw(stuffed(message()))
        .s("250 Ok")
        .c("quit")
        .s("221 Bye")
    )
    return capture(dialogue.flow())
