"""A forged RST outside the window."""

from tests.builders import RST, Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.three().flow()
    at = flow[b"MAIL FROM:<from2"]
    flow.insert(at._replace(seq=at.seq + 2_000_000_000, flags=RST, payload=b"", name="forged.rst"))
    return capture(flow)
