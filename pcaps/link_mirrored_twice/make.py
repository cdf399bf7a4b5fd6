"""Every frame twice, before and after the router."""

from tests.builders import Capture, Dialogue, files, frames, frames_of


def make() -> Capture:
    """See README.md."""
    made = []
    for segment in Dialogue.plain().flow().segments:
        for wrap in ((), (frames.vlan(30),)):
            made += frames_of([segment], wrap)
    return Capture(files.pcap(made), story=Dialogue.plain().transcript() + "\n-- each frame comes again in VLAN 30")
