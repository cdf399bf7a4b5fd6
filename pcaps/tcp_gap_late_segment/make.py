"""A segment that comes 300 ms late."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.three("body line\r\n" * 400).flow(step_ms=50).delay("c6", 300))
