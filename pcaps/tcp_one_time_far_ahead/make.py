"""One frame is stamped thirty years ahead."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1).mail(2).quit().flow()
    place = flow.index(b"Subject: Mail 1")
    flow.segments[place] = flow.segments[place]._replace(at_ns=flow.segments[place].at_ns + 946_080_000 * 10**9)
    return capture(flow)
