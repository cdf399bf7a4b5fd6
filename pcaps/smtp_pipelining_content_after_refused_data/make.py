"""Content sent ahead of an answer that refuses it."""

from tests.builders import Capture, Dialogue, capture, lines


def make() -> Capture:
    """See README.md."""
    content = b"Subject: Hello\r\n\r\nHi\r\n.\r\n"
    dialogue = (
        Dialogue().greet().c_raw(lines("MAIL FROM:<ann@a.example>", "RCPT TO:<no@corp.example>", "DATA") + content)
    )
    dialogue.s("250 Ok").s("550 No").s("503 No valid recipients")
    dialogue.s("500 What?").s("500 What?").s("500 What?").s("500 What?").c("QUIT").s("221 Bye")
    return capture(dialogue.flow())
