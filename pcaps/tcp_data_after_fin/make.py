"""Octets behind the end that a FIN announced."""

from tests.builders import ACK, PSH, Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue.plain().flow()
    fin = flow["c.fin"]
    ghost = fin._replace(
        seq=fin.seq + 1,
        payload=b"MAIL FROM:<ghost@a.example>\r\n",
        flags=ACK | PSH,
        name="ghost",
        at_ns=fin.at_ns + 100,
    )
    return capture(flow.insert(ghost))
