"""Smuggling that worked."""

from tests.builders import Capture, Dialogue, capture, lines, message


def make() -> Capture:
    """See README.md."""
    forged = lines(
        "MAIL FROM:<boss@corp.example>", "RCPT TO:<bob@corp.example>", "DATA", "Subject: Pay", "", "Please pay.", "."
    )
    dialogue = Dialogue().greet().envelope().c("DATA").s("354 Go").c_raw(message(body="Hi") + b"\n.\n" + forged)
    dialogue.s("250 Ok one").s("250 Ok").s("250 Ok").s("354 Go").s("250 Ok two").quit()
    return capture(dialogue.flow())
