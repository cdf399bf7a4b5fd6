"""Overlap with equal octets."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow()
    whole = flow[b"From: ann"].payload
    flow.cut(b"From: ann", 80).overlap("c5.0", whole[40:120], offset=40)
    return capture(flow)
