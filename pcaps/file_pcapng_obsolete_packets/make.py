"""The obsolete packet block."""

from tests.builders import Capture, Dialogue, files, frames_of


def make() -> Capture:
    """See README.md."""
    made, kind = frames_of(Dialogue.plain().flow().segments), files.Interface()
    blocks = [files.obsolete(frame, 0, kind) for frame in made]
    head = files.section() + files.interface(kind)
    return Capture(head + b"".join(blocks), ".pcapng", Dialogue.plain().transcript())
