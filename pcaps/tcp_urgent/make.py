"""The URG flag on a command."""

from tests.builders import ACK, PSH, URG, Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow()
    return capture(flow.alter(b"RCPT TO", flags=ACK | PSH | URG))
