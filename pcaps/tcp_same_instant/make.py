"""All segments at the same time."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(step_ms=0))
