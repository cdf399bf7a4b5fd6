"""Dot-stuffed lines in segments of one octet."""

from tests.builders import Capture, Dialogue, capture, message


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue()
        .greet()
        .envelope()
        .data(message(body=".\r\n..\r\n...x\r\n.\r\n\r\n.end\r\n"))
        .mail(2)
        .quit()
        .flow()
        .cut_all(1)
    )
