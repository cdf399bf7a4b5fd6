"""AUTH XOAUTH2 refused."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH XOAUTH2 dXNlcj1hbm5AYS5leGFtcGxlAWF1dGg9QmVhcmVyIFBMQU5URUQtU0VDUkVULXhvYXV0aDItYmFkLTdmM2EBAQ==")
        .s("334 eyJzdGF0dXMiOiI0MDEifQ==")
        .c("")
        .s("535 5.7.8 Not accepted")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
