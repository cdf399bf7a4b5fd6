"""A retransmission cut differently."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow()
    one = flow[b"From: ann"]
    flow.cut(b"From: ann", 40, 60)
    flow.lose("c5.1").alter("c5.2", seq=one.seq + 10, payload=one.payload[10:])
    return capture(flow)
