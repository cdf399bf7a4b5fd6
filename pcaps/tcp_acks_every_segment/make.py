"""A stack that acknowledges every segment, and one that never does."""

from tests.builders import Capture, Dialogue, Endpoint, capture


def make() -> Capture:
    """See README.md."""
    first = Dialogue.plain().flow(acks="every")
    return capture(
        first.beside(Dialogue().greet().mail(2).quit().flow(acks="none", client=Endpoint("192.0.2.11", 4711)))
    )
