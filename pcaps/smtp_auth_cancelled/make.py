"""AUTH cancelled by the client."""

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
        .c("*")
        .s("501 5.7.0 Cancelled")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
