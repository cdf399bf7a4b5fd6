"""AUTH PLAIN without initial response."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH PLAIN")
        .s("334 ")
        .c("AGFubkBhLmV4YW1wbGUAUExBTlRFRC1TRUNSRVQtcGxhaW4tbGF0ZXItN2YzYQ==")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
