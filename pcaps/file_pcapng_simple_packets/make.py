"""Simple packet blocks: no time at all."""

from tests.builders import Capture, Dialogue, files, frames_of


def make() -> Capture:
    """See README.md."""
    made = frames_of(Dialogue.plain().flow().segments)
    head = files.section() + files.interface(files.Interface())
    return Capture(head + b"".join(files.simple(frame) for frame in made), ".pcapng", Dialogue.plain().transcript())
