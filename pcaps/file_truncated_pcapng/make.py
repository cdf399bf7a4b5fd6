"""A pcapng file that ends inside a block."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    whole = capture(Dialogue.plain().flow(), form="pcapng")
    return whole.edited(whole.octets[:-30], "the file ends 30 octets early")
