"""AUTH sent ahead with its response and the envelope."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c(
            "AUTH PLAIN",
            "AGFubkBhLmV4YW1wbGUAUExBTlRFRC1TRUNSRVQtcGlwZWxpbmVkLTdmM2E=",
            "MAIL FROM:<ann@a.example>",
            "RCPT TO:<bob@corp.example>",
        )
        .s("334 ")
        .s("235 Ok")
        .s("250 Ok", "250 Ok")
        .data()
        .quit()
    )
    return capture(dialogue.flow())
