"""One pcapng block whose two lengths disagree."""

from tests.builders import Capture, Dialogue, capture, files, frames_of


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1).quit().flow().then(Dialogue().greet().mail(2).quit().flow(isn=(5, 5)))
    whole = capture(flow, form="pcapng")
    at = len(files.pcapng(frames_of(flow.segments[: flow.index("c.fin") + 3])))
    return whole.edited(
        whole.octets[: at - 4] + b"\xff" * 4 + whole.octets[at:], "the last block of the first flow is broken"
    )
