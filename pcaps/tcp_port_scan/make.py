"""Two hundred half-open flows and one mail."""

from tests.builders import Capture, Dialogue, Endpoint, Flow, capture


def make() -> Capture:
    """See README.md."""
    scan = [
        Dialogue().flow(client=Endpoint("192.0.2.66", 1024 + number), close=None, start_s=number / 1000).until("s.syn")
        for number in range(200)
    ]
    flow = Dialogue.plain().flow().beside(*scan)
    return capture(Flow(flow.segments, flow.dialogues[:1], ["200 bare SYNs from 192.0.2.66 in between"]))
