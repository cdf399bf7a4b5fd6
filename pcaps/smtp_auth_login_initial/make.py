"""AUTH LOGIN with the user name behind the command."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH LOGIN YW5uQGEuZXhhbXBsZQ==")
        .s("334 UGFzc3dvcmQ6")
        .c("UExBTlRFRC1TRUNSRVQtbG9naW4taW5pdGlhbC03ZjNh")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
