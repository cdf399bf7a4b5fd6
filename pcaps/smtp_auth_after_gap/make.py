"""A gap swallowed the AUTH command."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue()
        .greet(extensions=("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2"))
        .c("AUTH PLAIN")
        .s("334 ")
        .c("AGFubkBhLmV4YW1wbGUAUExBTlRFRC1TRUNSRVQtZ2FwLTdmM2E=")
        .s("235 2.7.0 Authentication successful")
        .envelope()
        .data()
        .quit()
        .flow()
        .lose(b"AUTH PLAIN\r\n", b"334 ")
    )
