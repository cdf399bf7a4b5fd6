"""Data in the SYN."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    dialogue = Dialogue().c("LHLO a.example").s("220 mx LMTP").s("250-mx", "250 PIPELINING").envelope().data().quit()
    flow = dialogue.flow(port=24)
    flow.alter("c.syn", payload=flow["c1"].payload).lose("c1")
    return capture(flow)
