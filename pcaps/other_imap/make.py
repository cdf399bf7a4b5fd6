"""IMAP."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("* OK IMAP4rev1 ready")
        .c("a1 LOGIN ann PLANTED-SECRET-imap-7f3a")
        .s("a1 OK Logged in")
        .c("a2 LOGOUT")
        .s("* BYE", "a2 OK Bye")
    )
    return capture(dialogue.flow(port=143))
