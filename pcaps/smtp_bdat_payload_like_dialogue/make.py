"""A chunk that looks like dialogue."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    body = "\r\n.\r\nMAIL FROM:<evil@a.example>\r\nRCPT TO:<evil@corp.example>\r\nBDAT 5 LAST\r\n250 Ok\r\n..\r\n"
    dialogue = Dialogue().greet().envelope().bdat(message(body=body), last=True).mail(2).quit()
    return capture(dialogue.flow())
