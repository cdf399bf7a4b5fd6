"""HTTP on port 25."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = (
        Dialogue().c("GET / HTTP/1.1", "Host: a.example", "").s("HTTP/1.1 200 OK", "Content-Length: 5", "", "Hello")
    )
    return capture(dialogue.flow())
