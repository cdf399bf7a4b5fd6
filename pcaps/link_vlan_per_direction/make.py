"""Each direction in a VLAN of its own."""

from tests.builders import Capture, Dialogue, files, frames, frames_of


def make() -> Capture:
    """See README.md."""
    made = [
        frame
        for segment in Dialogue.plain().flow().segments
        for frame in frames_of([segment], (frames.vlan(10 if segment.side == "c" else 20),))
    ]
    return Capture(files.pcap(made), story=Dialogue.plain().transcript() + "\n-- client in VLAN 10, server in VLAN 20")
