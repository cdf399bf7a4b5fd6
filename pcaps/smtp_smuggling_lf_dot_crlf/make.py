"""Smuggling with LF . CRLF."""

from tests.builders import Capture, Dialogue, capture, lines, message


def make() -> Capture:
    """See README.md."""
    content = message(body="Hi") + b"\n.\r\n"
    content += lines("MAIL FROM:<boss@corp.example>", "RCPT TO:<bob@corp.example>", "DATA")
    content += lines("From: boss@corp.example", "Subject: Pay", "", "Please pay.")
    dialogue = Dialogue().greet().envelope().c("DATA").s("354 Go").c_raw(content + b".\r\n").s("250 Ok").quit()
    return capture(dialogue.flow())
