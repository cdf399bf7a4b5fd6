"""AUTH XOAUTH2."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH XOAUTH2 dXNlcj1hbm5AYS5leGFtcGxlAWF1dGg9QmVhcmVyIFBMQU5URUQtU0VDUkVULXhvYXV0aDItN2YzYQEB")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
