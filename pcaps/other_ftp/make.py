"""FTP: a 220 banner too."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .s("220 ProFTPD Server ready.")
        .c("USER ann")
        .s("331 Password required")
        .c("PASS PLANTED-SECRET-ftp-7f3a")
        .s("230 Logged in")
        .c("QUIT")
        .s("221 Goodbye")
    )
    return capture(dialogue.flow(port=21))
