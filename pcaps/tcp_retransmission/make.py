"""Retransmissions."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(
        Dialogue()
        .greet()
        .mail(1, body="big mail\r\n" * 900)
        .mail(2)
        .quit()
        .flow()
        .repeat(b"MAIL FROM", after_ms=1)
        .repeat("c6")
        .repeat(b"250 2.0.0", after_ms=30, times=3)
    )
