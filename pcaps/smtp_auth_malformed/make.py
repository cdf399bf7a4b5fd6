"""AUTH PLAIN that does not decode."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH PLAIN =PLANTED-SECRET-malformed-7f3a=!")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
