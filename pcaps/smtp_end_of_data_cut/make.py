"""The end of data cut in five."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().envelope().data().mail(2).quit().flow()
    size = len(flow[b"From: ann"].payload)
    return capture(flow.cut(b"From: ann", *range(size - 5, size)))
