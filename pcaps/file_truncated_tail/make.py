"""The capture was copied while it was written."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    whole = capture(Dialogue.plain().flow())
    return whole.edited(whole.octets[:-80], "the file ends 80 octets early")
