"""The capture starts in the middle of a body."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    body = "QUIT is a word\r\nMAIL FROM:<no@a.example>\r\n" * 100
    return capture(Dialogue.three(body).flow().since("c6"))
