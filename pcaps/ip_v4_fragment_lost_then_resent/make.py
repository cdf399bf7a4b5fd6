"""A fragment is lost and TCP sends the segment again."""

from tests.builders import Capture, Dialogue, files, frames, frames_of


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1, body="fragment me\r\n" * 90).mail(2).quit().flow(step_ms=100)
    torn = frames.frames_of([flow[b"Mail 1"]], (frames.fragments(512, 1024, order=(0, 2)),))
    flow.delay(b"Mail 1", 50)
    made = sorted([*torn, *frames_of(flow.segments)])
    return Capture(
        files.pcap(made), story=flow.story() + "\n-- the same segment came before, in fragments of which one was lost"
    )
