"""The file ends in the middle of a mail."""

from tests.builders import Capture, Dialogue, capture, files, frames_of


def make() -> Capture:
    """See README.md."""
    flow = Dialogue().greet().mail(1).mail(2, body="x" * 60 + "\r\n" + "y" * 5000).quit().flow()
    whole, at = capture(flow), flow.index(b"Mail 2") + 2
    kept = files.pcap(frames_of(flow.segments[:at]))
    return whole.edited(whole.octets[: len(kept) + 200], "the file ends inside the content of mail 2")
