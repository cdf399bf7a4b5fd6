"""AUTH PLAIN on behalf of another."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH PLAIN Ym9zc0BhLmV4YW1wbGUAYW5uQGEuZXhhbXBsZQBQTEFOVEVELVNFQ1JFVC1wbGFpbi1hdXRoemlkLTdmM2E=")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
