"""Overlap with different octets while the first copy still waits."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().envelope("ann@a.example", "bob@corp.example").data().quit().flow()
    flow.cut(b"RCPT TO", 4)
    flow.overlap("c3.1", b" TO:<eve@corp.example>\r\n", after_ms=0)
    flow.move("c3.1", before="c3.0").move("c3.1.overlap", before="c3.0")
    return capture(flow)
