"""A pcapng file with one section and one interface."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    return capture(Dialogue.plain().flow(), form="pcapng")
