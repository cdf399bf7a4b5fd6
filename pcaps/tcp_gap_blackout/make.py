"""The mirror is dark from the body of mail 1 to the body of mail 2."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1, body="one\r\n" * 1000).mail(2, body="two\r\n" * 1000).mail(3).quit().flow()
    start, end = flow.index("c7"), flow.index(b"two") + 2
    del flow.segments[start:end]
    flow.faults = ["the mirror is dark from the body of mail 1 to the body of mail 2"]
    return capture(flow)
