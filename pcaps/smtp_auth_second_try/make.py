"""AUTH refused, then accepted for another user."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH PLAIN AGV2ZUBhLmV4YW1wbGUAUExBTlRFRC1TRUNSRVQtZmlyc3QtdHJ5LTdmM2E=")
        .s("535 No")
        .c("AUTH PLAIN AGFubkBhLmV4YW1wbGUAUExBTlRFRC1TRUNSRVQtc2Vjb25kLXRyeS03ZjNh")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
