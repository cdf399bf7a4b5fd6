"""A capture in several zstd frames."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow()).zstandard(frame_octets=700)
