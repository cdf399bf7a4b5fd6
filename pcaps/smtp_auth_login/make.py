"""AUTH LOGIN."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH LOGIN")
        .s("334 VXNlcm5hbWU6")
        .c("YW5uQGEuZXhhbXBsZQ==")
        .s("334 UGFzc3dvcmQ6")
        .c("UExBTlRFRC1TRUNSRVQtbG9naW4tN2YzYQ==")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
