"""One record header of a pcap file is garbage."""

from tests.builders import Capture, Dialogue, capture, files, frames_of


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1).quit().flow().then(Dialogue().greet().mail(2).quit().flow(isn=(5, 5)))
    whole = capture(flow)
    at = len(files.pcap(frames_of(flow.segments[: flow.index("c.fin") + 2]))) + 8
    return whole.edited(
        whole.octets[:at] + b"\xff" * 8 + whole.octets[at + 8 :], "one record claims 4 GiB, after mail 1"
    )
