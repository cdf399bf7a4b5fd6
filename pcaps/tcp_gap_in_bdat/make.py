"""A segment lost inside a BDAT chunk."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    content = message("Chunked", body="chunk\r\n" * 500)
    return capture(Dialogue().greet().envelope().bdat(content, last=True).mail(2).quit().flow().lose("c5"))
