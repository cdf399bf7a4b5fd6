"""AUTH refused."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH PLAIN AGFubkBhLmV4YW1wbGUAUExBTlRFRC1TRUNSRVQtZmFpbGVkLTdmM2E=")
        .s("535 5.7.8 Bad credentials")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
