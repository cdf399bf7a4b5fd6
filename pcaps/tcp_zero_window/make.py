"""Zero-window probes in the content."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow().cut(b"From: ann", 100)
    rest = flow["c5.1"]
    for name in ("probe1", "probe2"):
        flow.insert(rest._replace(payload=rest.payload[:1], name=name)).move(name, before="c5.1")
    return capture(flow)
