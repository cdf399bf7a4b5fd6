"""Pure ACKs shown before the segments they acknowledge."""

from tests.builders import Capture, Dialogue, capture


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1, body="big mail\r\n" * 900).mail(2).quit().flow()
    flow.segments = [
        segment._replace(name=f"{segment.name}{place}") if segment.name == "s.ack" else segment
        for place, segment in enumerate(flow.segments)
    ]
    for place, segment in enumerate(list(flow.segments)):
        if segment.name.startswith("s.ack"):
            flow.move(segment.name, before=flow.segments[place - 2].name)
    return capture(flow)
