"""AUTH CRAM-MD5."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH CRAM-MD5")
        .s("334 PDE4OTYuNjk3MTcwOTUyQG14LmNvcnAuZXhhbXBsZT4=")
        .c("YW5uQGEuZXhhbXBsZSBiOTEzYTYwMmM3ZWRhN2E0OTViNGU2ZTczMzRkMzg5MA==")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
    )
    return capture(dialogue.flow())
