"""HTTP that carries a mail-like upload."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    body = "220 mx ESMTP\r\nEHLO a.example\r\nMAIL FROM:<ann@a.example>\r\nRCPT TO:<bob@corp.example>\r\nDATA\r\n.\r\n"
    dialogue = (
        Dialogue()
        .c("POST /x HTTP/1.1", "Host: a.example", f"Content-Length: {len(body)}", "", body)
        .s("HTTP/1.1 200 OK", "")
    )
    return capture(dialogue.flow(port=8080))
